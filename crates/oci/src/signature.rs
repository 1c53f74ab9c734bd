//! Signatures over content, in the form that `ssh-keygen -Y sign` writes (OpenSSH, PROTOCOL.sshsig), so that an agent or a hardware key can give them too.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey, KeypairData};
use ssh_key::public::Ed25519PublicKey;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, SshSig};

pub use ssh_key::PublicKey;

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// It is no private key in OpenSSH's form.
    #[error("this is no private key of ssh: {0}")]
    NoKey(String),
    /// Its passphrase would have to be asked for.
    #[error("the key has a passphrase")]
    Passphrase,
    /// Only ed25519 is taken.
    #[error("the key is of the kind {0}, not ssh-ed25519")]
    Kind(String),
    /// Its two parts are of different keys.
    #[error("the key's private and public parts do not belong together")]
    Parts,
    /// A defect: what was signed cannot be written.
    #[error("the signature cannot be written: {0}")]
    Write(String),
}

/// Signs a message for one purpose with a private key in OpenSSH's form; a signature for another purpose is none.
///
/// # Errors
/// When the key cannot be read, has a passphrase, or is of another kind than ed25519.
pub fn sign(namespace: &str, message: &[u8], key: &str) -> Result<String, SignError> {
    let key = PrivateKey::from_openssh(key).map_err(|error| SignError::NoKey(error.to_string()))?;
    if key.is_encrypted() {
        return Err(SignError::Passphrase);
    }
    let pair = key.key_data().ed25519().ok_or_else(|| SignError::Kind(key.algorithm().to_string()))?;
    let signer = Ed25519KeyPair::from_seed_and_public_key(pair.private.as_ref(), pair.public.as_ref()).map_err(|_| SignError::Parts)?;
    let broken = |error: ssh_key::Error| SignError::Write(error.to_string());
    let data = SshSig::signed_data(namespace, HashAlg::Sha512, message).map_err(broken)?;
    let made = ssh_key::Signature::new(Algorithm::Ed25519, signer.sign(&data).as_ref().to_vec()).map_err(broken)?;
    let signature = SshSig::new(key.public_key().key_data().clone(), namespace, HashAlg::Sha512, made).map_err(broken)?;
    signature.to_pem(LineEnding::LF).map_err(broken)
}

/// Whose key made a signature over a message for one purpose. Whether that key is trusted is the caller's question.
///
/// # Errors
/// Why it is none, in words.
pub fn verify(namespace: &str, message: &[u8], signature: &str) -> Result<PublicKey, String> {
    let signature = SshSig::from_pem(signature).map_err(|error| format!("this is no signature of ssh: {error}"))?;
    if signature.namespace() != namespace {
        return Err(format!("the signature is for `{}`, not for `{namespace}`", signature.namespace()));
    }
    let Some(key) = signature.public_key().ed25519() else {
        return Err(format!("the signature is by a key of the kind {}, not ssh-ed25519", signature.algorithm()));
    };
    let data = SshSig::signed_data(namespace, signature.hash_alg(), message).map_err(|error| error.to_string())?;
    let good = UnparsedPublicKey::new(&ED25519, key.as_ref()).verify(&data, signature.signature_bytes());
    good.map_err(|_| "the signature is not over this content".to_owned())?;
    Ok(PublicKey::from(signature.public_key().clone()))
}

/// A key pair in OpenSSH's form, private and public, from random bytes.
///
/// # Errors
/// A defect: what was made cannot be written.
pub fn key_pair(seed: [u8; 32], comment: &str) -> Result<(String, String), SignError> {
    let broken = |error: ssh_key::Error| SignError::Write(error.to_string());
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| SignError::Parts)?;
    let public = pair.public_key().as_ref().try_into().map_err(|_| SignError::Parts)?;
    let data = KeypairData::Ed25519(Ed25519Keypair { public: Ed25519PublicKey(public), private: Ed25519PrivateKey::from_bytes(&seed) });
    let key = PrivateKey::new(data, comment).map_err(broken)?;
    Ok((key.to_openssh(LineEnding::LF).map_err(broken)?.to_string(), key.public_key().to_openssh().map_err(broken)?))
}

/// A public key as ssh writes it.
///
/// # Errors
/// Why it is none, in words.
pub fn public_key(text: &str) -> Result<PublicKey, String> {
    PublicKey::from_openssh(text.trim()).map_err(|error| format!("`{}` is no public key of ssh: {error}", text.trim()))
}

/// A key's comment and fingerprint.
pub fn shown(key: &PublicKey) -> String {
    let fingerprint = key.fingerprint(HashAlg::Sha256);
    if key.comment().is_empty() { fingerprint.to_string() } else { format!("{} ({fingerprint})", key.comment()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_for_one_content_and_one_purpose() {
        let (private, public) = key_pair([7; 32], "me").expect("a key");
        let signature = sign("purpose", b"content", &private).expect("signed");
        let key = verify("purpose", b"content", &signature).expect("good");
        assert_eq!(key.key_data(), public_key(&public).expect("a key").key_data());
        assert!(verify("purpose", b"Content", &signature).expect_err("other content").contains("not over"));
        assert!(verify("other", b"content", &signature).expect_err("other purpose").contains("is for"));
        assert!(verify("purpose", b"content", "nonsense").is_err());
        assert!(matches!(sign("purpose", b"", "nonsense"), Err(SignError::NoKey(_))));
    }
}
