//! Secrets on the disk: AES-256-GCM under the key file, bound to their key in the store.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use store::Seal;

/// Encrypts the bodies of Secrets.
pub struct SecretSeal(LessSafeKey);

impl SecretSeal {
    /// With the key of the key file.
    pub fn new(key: &[u8; 32]) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM, key).ok().map(|key| Self(LessSafeKey::new(key)))
    }
}

impl Seal for SecretSeal {
    fn seals(&self, key: &str) -> bool {
        key.starts_with("/secrets./")
    }

    fn seal(&self, key: &str, plain: &[u8]) -> Vec<u8> {
        // 96 random bits: safe for 2^32 writes under one key.
        let nonce: [u8; NONCE_LEN] = base::ids::random();
        let mut sealed = plain.to_vec();
        // Sealing fails only for bodies of 64 GiB; such a body would be stored as nothing rather than in the clear.
        match self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(key.as_bytes()), &mut sealed) {
            Ok(()) => [nonce.as_slice(), &sealed].concat(),
            Err(_) => Vec::new(),
        }
    }

    fn open(&self, key: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN)?;
        let mut body = body.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let length = self.0.open_in_place(nonce, Aad::from(key.as_bytes()), &mut body).ok()?.len();
        body.truncate(length);
        Some(body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_bodies_open_only_where_they_belong() {
        let seal = SecretSeal::new(&[7; 32]).expect("a key");
        let sealed = seal.seal("/secrets./a/b", b"hunter2");
        assert!(!sealed.windows(7).any(|part| part == b"hunter2"));
        assert_eq!(seal.open("/secrets./a/b", &sealed).as_deref(), Some(&b"hunter2"[..]));
        assert_eq!(seal.open("/secrets./a/c", &sealed), None);
        assert_eq!(SecretSeal::new(&[8; 32]).expect("a key").open("/secrets./a/b", &sealed), None);
        assert_eq!(seal.open("/secrets./a/b", b"short"), None);
    }
}
