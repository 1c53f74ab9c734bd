//! Machines that images are made for, in Go's names.

use crate::archive::host_architecture;
use oci::manifest::{Descriptor, Platform};

/// This machine.
pub fn host_platform() -> Platform {
    Platform { architecture: host_architecture().into(), os: "linux".into(), variant: None }
}

/// Reads `linux/arm64/v8`, `linux/arm64` or `arm64`.
///
/// # Errors
/// A sentence that says what was expected.
pub fn parse_platform(text: &str) -> Result<Platform, String> {
    let wrong = || format!("`{text}` is no platform; write it like linux/amd64 or linux/arm64/v8");
    let parts: Vec<&str> = text.split('/').collect();
    let word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if !parts.iter().all(word) {
        return Err(wrong());
    }
    let (os, architecture, variant) = match parts.as_slice() {
        [architecture] => ("linux", *architecture, None),
        [os, architecture] => (*os, *architecture, None),
        [os, architecture, variant] => (*os, *architecture, Some(*variant)),
        _ => return Err(wrong()),
    };
    let architecture = match architecture {
        "x86_64" | "x86-64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    Ok(Platform { architecture: architecture.into(), os: os.into(), variant: variant.map(str::to_owned) })
}

/// As people write it.
pub(crate) fn shown(platform: &Platform) -> String {
    let variant = platform.variant.as_ref().map(|variant| format!("/{variant}")).unwrap_or_default();
    format!("{}/{}{variant}", platform.os, platform.architecture)
}

/// Whether something made for `has` runs on `wanted`; without a variant wanted any does, and `v8` is what every arm64 is.
pub(crate) fn fits(has: &Platform, wanted: &Platform) -> bool {
    let variant = |platform: &Platform| platform.variant.clone().filter(|variant| !(platform.architecture == "arm64" && variant == "v8"));
    has.os == wanted.os && has.architecture == wanted.architecture && (wanted.variant.is_none() || variant(has) == variant(wanted))
}

/// Of an index, what runs on a machine: the plainest variant first.
pub(crate) fn choose<'a>(manifests: &'a [Descriptor], wanted: &Platform) -> Option<&'a Descriptor> {
    let fitting = manifests.iter().filter(|one| one.platform.as_ref().is_some_and(|has| fits(has, wanted)));
    let fitting: Vec<_> = fitting.collect();
    let exact = |one: &&&Descriptor| one.platform.as_ref().is_some_and(|has| has.variant == wanted.variant);
    fitting.iter().find(exact).or(fitting.first()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci::Digest;

    fn described(platform: &str) -> Descriptor {
        let mut one = Descriptor::new("", Digest::of(platform.as_bytes()), 1);
        one.platform = Some(parse_platform(platform).expect(platform));
        one
    }

    #[test]
    fn chooses_for_a_machine() {
        let list = ["unknown/unknown", "linux/arm/v5", "linux/arm/v7", "linux/amd64/v2", "linux/amd64", "linux/arm64/v8"].map(described);
        let rows = [("amd64", 4), ("linux/arm/v7", 2), ("linux/arm", 1), ("linux/arm64", 5), ("aarch64", 5), ("linux/amd64/v2", 3)];
        for (wanted, at) in rows {
            let wanted = parse_platform(wanted).expect(wanted);
            assert_eq!(choose(&list, &wanted), list.get(at), "{wanted:?}");
        }
        assert_eq!(choose(&list, &parse_platform("linux/s390x").expect("one")), None);
        for wrong in ["", "a/b/c/d", "linux/", "a b"] {
            assert!(parse_platform(wrong).is_err(), "{wrong}");
        }
    }
}
