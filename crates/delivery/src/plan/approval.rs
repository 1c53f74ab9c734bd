//! Approvals: signatures with ssh keys over a plan's digest, in the form that `ssh-keygen -Y sign -n wharf-plan` writes
//! (OpenSSH, PROTOCOL.sshsig), so that an agent or a hardware key can give them too.

use base::{Problem, ProblemKind};
use oci::Digest;
use oci::signature::{self, PublicKey, SignError, shown};
use serde::{Deserialize, Serialize};
use ssh_key::HashAlg;

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
    let signature = signature::sign(NAMESPACE, digest.to_string().as_bytes(), key).map_err(|error| match &error {
        SignError::Passphrase => usage(error.to_string()).hint(by_hand),
        SignError::Kind(_) => usage(error.to_string()).hint("make one with `ssh-keygen -t ed25519`"),
        SignError::Write(_) => Problem::new(ProblemKind::Defect, error.to_string()),
        SignError::NoKey(_) | SignError::Parts => usage(error.to_string()),
    })?;
    Ok(Approval { signature })
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
    let good = signature::verify(NAMESPACE, digest.to_string().as_bytes(), signature);
    good.map_err(|why| why.replace("not over this content", &format!("not over {digest}")))
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A private and a public key in OpenSSH's form.
    pub fn key(seed: u8) -> (String, String) {
        signature::key_pair([seed; 32], &format!("person-{seed}")).expect("a key")
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
