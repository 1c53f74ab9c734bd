//! Approvals: signatures with ssh keys over a plan's digest, in the form that `ssh-keygen -Y sign -n wharf-plan` writes
//! (OpenSSH, PROTOCOL.sshsig), so that an agent or a hardware key can give them too.

use base::{Problem, ProblemKind};
use oci::Digest;
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};

/// What signatures are for; one over the same bytes for anything else is none.
pub const NAMESPACE: &str = "wharf-plan";

/// One approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The signature as ssh writes it; it holds the key.
    pub signature: String,
}

fn usage(message: String) -> Problem {
    Problem::new(ProblemKind::Usage, message)
}

fn refused(message: String) -> Problem {
    Problem::new(ProblemKind::Target, message)
}

/// Signs a digest with a private key in OpenSSH's form.
///
/// # Errors
/// When the key cannot be read, has a passphrase, or is of another kind than ed25519.
pub fn sign(digest: &Digest, key: &str) -> Result<Approval, Problem> {
    let by_hand = format!(
        "sign by hand: printf %s {digest} | ssh-keygen -Y sign -n {NAMESPACE} -f KEY, and pass what it prints with `--signature FILE`"
    );
    let key = PrivateKey::from_openssh(key).map_err(|error| usage(format!("this is no private key of ssh: {error}")))?;
    if key.is_encrypted() {
        return Err(usage("the key has a passphrase".to_owned()).hint(by_hand));
    }
    let Some(pair) = key.key_data().ed25519() else {
        return Err(
            usage(format!("the key is of the kind {}, not ssh-ed25519", key.algorithm())).hint("make one with `ssh-keygen -t ed25519`")
        );
    };
    let signer = Ed25519KeyPair::from_seed_and_public_key(pair.private.as_ref(), pair.public.as_ref())
        .map_err(|_| usage("the key's private and public parts do not belong together".to_owned()))?;
    let broken = |error: &dyn std::fmt::Display| Problem::new(ProblemKind::Defect, error.to_string());
    let text = digest.to_string();
    let data = SshSig::signed_data(NAMESPACE, HashAlg::Sha512, text.as_bytes()).map_err(|error| broken(&error))?;
    let made = ssh_key::Signature::new(Algorithm::Ed25519, signer.sign(&data).as_ref().to_vec()).map_err(|error| broken(&error))?;
    let signature = SshSig::new(key.public_key().key_data().clone(), NAMESPACE, HashAlg::Sha512, made).map_err(|error| broken(&error))?;
    Ok(Approval { signature: signature.to_pem(LineEnding::LF).map_err(|error| broken(&error))? })
}

/// A signature that was made elsewhere.
///
/// # Errors
/// When it is none, or not over this digest.
pub fn take(digest: &Digest, signature: &str) -> Result<Approval, Problem> {
    verify(signature, digest).map_err(usage)?;
    Ok(Approval { signature: signature.to_owned() })
}

/// Whose key made a signature over a digest, or why it is none.
fn verify(signature: &str, digest: &Digest) -> Result<PublicKey, String> {
    let signature = SshSig::from_pem(signature).map_err(|error| format!("this is no signature of ssh: {error}"))?;
    if signature.namespace() != NAMESPACE {
        return Err(format!("the signature is for `{}`, not for `{NAMESPACE}`", signature.namespace()));
    }
    let Some(key) = signature.public_key().ed25519() else {
        return Err(format!("the signature is by a key of the kind {}, not ssh-ed25519", signature.algorithm()));
    };
    let text = digest.to_string();
    let data = SshSig::signed_data(NAMESPACE, signature.hash_alg(), text.as_bytes()).map_err(|error| error.to_string())?;
    let good = UnparsedPublicKey::new(&ED25519, key.as_ref()).verify(&data, signature.signature_bytes());
    good.map_err(|_| format!("the signature is not over {digest}"))?;
    Ok(PublicKey::from(signature.public_key().clone()))
}

/// Checks that one of `approvers` signed; who did. Without approvers nobody needs to.
///
/// # Errors
/// When an approver's key cannot be read, or none of them signed, with what is there instead.
pub fn check(approvals: &[Approval], digest: &Digest, approvers: &[String]) -> Result<Option<String>, Problem> {
    if approvers.is_empty() {
        return Ok(None);
    }
    let keys = approvers.iter().map(|text| {
        PublicKey::from_openssh(text).map_err(|error| usage(format!("the approver `{text}` is no public key of ssh: {error}")))
    });
    let keys: Vec<PublicKey> = keys.collect::<Result<_, _>>()?;
    let mut wrong = Vec::new();
    for approval in approvals {
        match verify(&approval.signature, digest) {
            Ok(key) => match keys.iter().find(|known| known.key_data() == key.key_data()) {
                Some(known) => return Ok(Some(shown(known))),
                None => wrong.push(format!("{} signed and is no approver of this environment", shown(&key))),
            },
            Err(why) => wrong.push(why),
        }
    }
    let known = keys.iter().map(shown).collect::<Vec<_>>().join(", ");
    let problem = if wrong.is_empty() {
        refused("the plan is not approved".to_owned())
    } else {
        refused(format!("the plan is not approved: {}", wrong.join("; ")))
    };
    Err(problem.hint(format!("one of {known} signs it with `wharf approve PLAN --key FILE`")))
}

/// The key among some signatures over a digest that an approver named as [`check`] names one has; which is its public form.
///
/// # Errors
/// Why no signature is the approver's.
pub fn signed_by(approvals: &[Approval], digest: &Digest, approver: &str) -> Result<String, String> {
    let mut wrong = String::from("the record has no signature");
    for approval in approvals {
        match verify(&approval.signature, digest) {
            Ok(key) => {
                let print = key.fingerprint(HashAlg::Sha256).to_string();
                if approver == print || approver.ends_with(&format!("({print})")) {
                    return key.to_openssh().map_err(|error| error.to_string());
                }
                wrong = format!("the signature is by {print}");
            }
            Err(why) => wrong = why,
        }
    }
    Err(wrong)
}

/// A key's comment and fingerprint.
fn shown(key: &PublicKey) -> String {
    let fingerprint = key.fingerprint(HashAlg::Sha256);
    if key.comment().is_empty() { fingerprint.to_string() } else { format!("{} ({fingerprint})", key.comment()) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use ring::signature::KeyPair;
    use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey, KeypairData};
    use ssh_key::public::Ed25519PublicKey;

    /// A private and a public key in OpenSSH's form.
    pub fn key(seed: u8) -> (String, String) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("a key");
        let public = Ed25519PublicKey(pair.public_key().as_ref().try_into().expect("32 bytes"));
        let data = KeypairData::Ed25519(Ed25519Keypair { public, private: Ed25519PrivateKey::from_bytes(&[seed; 32]) });
        let key = PrivateKey::new(data, format!("person-{seed}")).expect("a key");
        (key.to_openssh(LineEnding::LF).expect("text").to_string(), key.public_key().to_openssh().expect("text"))
    }

    #[test]
    fn an_approver_s_signature_over_this_plan_and_no_other() {
        let ((ours, our_public), (other, _)) = (key(1), key(2));
        let (digest, another) = (Digest::of(b"plan"), Digest::of(b"another"));
        let approvers = [our_public];
        let good = sign(&digest, &ours).expect("signed");
        let who = check(std::slice::from_ref(&good), &digest, &approvers).expect("approved").expect("somebody");
        assert!(who.starts_with("person-1 (SHA256:"), "{who}");
        assert_eq!(check(&[], &digest, &[]), Ok(None));
        let refused = |approvals: &[Approval], digest: &Digest| check(approvals, digest, &approvers).expect_err("refused").message;
        assert!(refused(&[], &digest).contains("not approved"));
        assert!(refused(std::slice::from_ref(&good), &another).contains("not over"));
        assert!(refused(&[sign(&digest, &other).expect("signed")], &digest).contains("no approver"));
        let broken = Approval { signature: good.signature.replacen("U1NIU0lH", "U1NIU0lI", 1) };
        assert!(refused(&[broken], &digest).contains("no signature"));
        // One good one is enough, whatever stands beside it.
        let both = [sign(&digest, &other).expect("signed"), good];
        assert!(check(&both, &digest, &approvers).is_ok());
    }

    #[test]
    fn what_the_record_keeps_is_checked_again() {
        let (digest, another) = (Digest::of(b"plan"), Digest::of(b"another"));
        let ((key, public), (other, _)) = (key(1), key(2));
        let good = [sign(&digest, &other).expect("signed"), sign(&digest, &key).expect("signed")];
        let who = check(&good, &digest, std::slice::from_ref(&public)).expect("checked").expect("approved");
        let found = signed_by(&good, &digest, &who).expect("signed");
        assert!(public.starts_with(&found), "{found}");
        assert!(signed_by(&good, &another, &who).expect_err("another plan").contains("not over"));
        assert!(signed_by(&good[..1], &digest, &who).expect_err("another's").contains("the signature is by SHA256:"));
        assert!(signed_by(&good, &digest, "me").is_err() && signed_by(&good, &digest, "").is_err());
        assert_eq!(signed_by(&[], &digest, &who), Err("the record has no signature".to_owned()));
    }

    #[test]
    fn keys_that_cannot_be_used_are_told() {
        let digest = Digest::of(b"plan");
        assert!(sign(&digest, "nonsense").expect_err("no key").message.contains("no private key"));
        assert!(take(&digest, "nonsense").expect_err("no signature").message.contains("no signature"));
        let wrong = check(&[], &digest, &["ssh-ed25519 nonsense".to_owned()]).expect_err("no key");
        assert_eq!(wrong.kind, ProblemKind::Usage);
    }
}
