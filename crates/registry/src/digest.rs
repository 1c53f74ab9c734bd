//! Digests as clients name content: SHA-256 or SHA-512 (image spec, descriptor.md "Registered Algorithms").

use serde::{Serialize, Serializer};
use sha2::Digest as _;
use std::fmt;

/// Which function a digest is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `sha256`.
    Sha256,
    /// `sha512`.
    Sha512,
}

impl Algorithm {
    /// The algorithm of a name; `None` when it is not known here.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "sha256" => Some(Self::Sha256),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }
}

/// Why a text is no digest that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// It is not written as a digest is, or has not the digits of its algorithm.
    #[error("this is no digest: expected `sha256:` and 64, or `sha512:` and 128 lower-case hexadecimal digits")]
    Malformed,
    /// Another algorithm.
    #[error("digests of this algorithm cannot be checked here: use sha256 or sha512")]
    Unsupported,
}

/// A digest, written `ALGORITHM:HEX`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    /// SHA-256: what nearly everybody uses.
    Sha256(oci::Digest),
    /// SHA-512; apart from the other, so that the common one stays small in memory.
    Sha512(Box<[u8; 64]>),
}

impl Digest {
    /// The digest of some bytes.
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// Reads `sha256:HEX` or `sha512:HEX`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let (name, digits) = text.split_once(':').ok_or(DigestError::Malformed)?;
        let algorithm = match Algorithm::named(name) {
            Some(algorithm) => algorithm,
            None if is_algorithm(name) && is_encoded(digits) => return Err(DigestError::Unsupported),
            None => return Err(DigestError::Malformed),
        };
        match algorithm {
            Algorithm::Sha256 => oci::Digest::from_hex(digits).map(Self::Sha256).map_err(|_| DigestError::Malformed),
            Algorithm::Sha512 => {
                let (low, high) = digits.split_at_checked(64).ok_or(DigestError::Malformed)?;
                let mut bytes = Box::new([0; 64]);
                for (half, digits) in bytes.chunks_exact_mut(32).zip([low, high]) {
                    half.copy_from_slice(oci::Digest::from_hex(digits).map_err(|_| DigestError::Malformed)?.bytes());
                }
                Ok(Self::Sha512(bytes))
            }
        }
    }

    /// Which function it is of.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The raw bytes: 32 or 64.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(digest) => digest.bytes(),
            Self::Sha512(bytes) => bytes.as_slice(),
        }
    }

    /// From the raw bytes; `None` when they are neither 32 nor 64.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if let Ok(short) = bytes.try_into() {
            return Some(Self::Sha256(oci::Digest::from_bytes(short)));
        }
        bytes.try_into().ok().map(|long| Self::Sha512(Box::new(long)))
    }
}

/// `component [+._- component]*` (image spec, descriptor.md "Digests").
fn is_algorithm(name: &str) -> bool {
    name.split(['+', '.', '_', '-'])
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
}

fn is_encoded(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b'_' | b'-'))
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(digest) => digest.fmt(f),
            Self::Sha512(bytes) => write!(f, "sha512:{}", base::ids::hex(bytes.as_slice())),
        }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Hashes a stream piece by piece.
#[derive(Clone)]
pub enum Hasher {
    /// SHA-256.
    Sha256(oci::digest::Hasher),
    /// SHA-512.
    Sha512(Box<sha2::Sha512>),
}

impl Hasher {
    /// With nothing hashed yet.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(oci::digest::Hasher::new()),
            Algorithm::Sha512 => Self::Sha512(Box::default()),
        }
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// Which function it computes.
    pub fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The digest of all bytes.
    pub fn finish(self) -> Digest {
        match self {
            Self::Sha256(hasher) => Digest::Sha256(hasher.finish()),
            Self::Sha512(hasher) => Digest::Sha512(Box::new(hasher.finalize().into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_read_as_they_are_written() {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let digest = Digest::of(algorithm, b"abc");
            assert_eq!(Digest::parse(&digest.to_string()), Ok(digest.clone()));
            assert_eq!(Digest::from_bytes(digest.bytes()), Some(digest.clone()));
            assert_eq!(digest.algorithm(), algorithm);
        }
        let known = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
        assert_eq!(Digest::of(Algorithm::Sha512, b"abc").to_string(), known);
    }

    #[test]
    fn others_are_told_apart_from_nonsense() {
        assert_eq!(Digest::parse("md5:d41d8cd98f00b204e9800998ecf8427e"), Err(DigestError::Unsupported));
        assert_eq!(Digest::parse("multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8"), Err(DigestError::Unsupported));
        for wrong in ["", "sha256", "sha256:", "sha256:baddigeststring", "sha512:12", ":a", "a:", "A:b", "a:b/c", "sha512:é"] {
            assert_eq!(Digest::parse(wrong), Err(DigestError::Malformed), "{wrong}");
        }
    }
}
