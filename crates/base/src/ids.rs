//! Random names.

/// A random UUID (version 4, RFC 9562 section 5.4), as Kubernetes writes `metadata.uid`.
///
/// # Panics
/// When the kernel has no random bytes to give, which on Linux it always has once booted.
pub fn uuid() -> String {
    let mut bytes = random::<16>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// `length` random letters and digits that spell no word, from the alphabet that Kubernetes uses for `generateName`.
pub fn suffix(length: usize) -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    (0..length).map(|_| char::from(ALPHABET[usize::from(random::<1>()[0]) % ALPHABET.len()])).collect()
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Random bytes from the kernel.
///
/// # Panics
/// As [`uuid`].
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel's random source works once the machine has booted");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_have_version_and_variant() {
        let id = uuid();
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "4");
        assert!("89ab".contains(&id[19..20]));
        assert_ne!(id, uuid());
    }

    #[test]
    fn suffixes_keep_to_the_alphabet() {
        assert!(suffix(64).bytes().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase()));
    }
}
