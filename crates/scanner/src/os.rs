//! Which distribution an image is of (os-release(5)), and whose advisories count for its packages.

use crate::package::{Ecosystem, Os};
use crate::tree::{Entry, Tree, failed};
use base::Finding;
use std::collections::HashMap;

/// Where the file is, the one that counts first.
pub(crate) const PLACES: [&str; 2] = ["etc/os-release", "usr/lib/os-release"];

const LARGEST: u64 = 64 << 10;

/// The distribution that an image's files tell of.
pub(crate) fn read(tree: &Tree, found: &[Entry], findings: &mut Vec<Finding>) -> Option<Os> {
    let entry = PLACES.iter().find_map(|place| found.iter().find(|entry| entry.path == *place))?;
    match tree.read(entry, LARGEST) {
        Ok(bytes) => Some(parse(&String::from_utf8_lossy(&bytes))),
        Err(error) => {
            findings.push(failed(&entry.path, &error.source));
            None
        }
    }
}

/// Reads the text of an os-release file.
pub fn parse(text: &str) -> Os {
    let fields: HashMap<&str, String> =
        text.lines().filter_map(|line| line.trim().split_once('=')).map(|(name, value)| (name, unquoted(value))).collect();
    let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
    let id = field("ID");
    Os { id: if id.is_empty() { "linux".to_owned() } else { id }, version: field("VERSION_ID"), name: field("PRETTY_NAME") }
}

/// A value without the shell's quotes and backslashes.
fn unquoted(value: &str) -> String {
    let value = value.trim();
    let inner = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(value);
    let mut text = String::new();
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        text.extend(if c == '\\' { characters.next() } else { Some(c) });
    }
    text
}

/// Who numbers the packages of dpkg's database. Debian, where the distribution is not known, and then without a release.
pub(crate) fn dpkg(os: Option<&Os>) -> Ecosystem {
    match os {
        Some(os) if os.id == "ubuntu" => Ecosystem::Ubuntu(os.version.clone()),
        // `12.5` has the advisories of `12`.
        Some(os) if os.id == "debian" => Ecosystem::Debian(os.version.split('.').next().unwrap_or_default().to_owned()),
        _ => Ecosystem::Debian(String::new()),
    }
}

/// Who numbers the packages of apk's database: Alpine's branch, such as `v3.20`.
pub(crate) fn apk(os: Option<&Os>) -> Ecosystem {
    let release = os.filter(|os| os.id == "alpine").map(|os| branch(&os.version));
    Ecosystem::Alpine(release.unwrap_or_default())
}

fn branch(version: &str) -> String {
    let mut parts = version.split('.');
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) if !version.contains("_alpha") => format!("v{major}.{minor}"),
        (Some(_), Some(_)) => "edge".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_names_the_ecosystem() {
        let debian = parse("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\nVERSION_ID=\"12\"\n# x\n");
        assert_eq!(dpkg(Some(&debian)), Ecosystem::Debian("12".into()));
        assert_eq!(debian.name, "Debian GNU/Linux 12 (bookworm)");
        assert_eq!(dpkg(Some(&parse("ID=ubuntu\nVERSION_ID='24.04'"))), Ecosystem::Ubuntu("24.04".into()));
        assert_eq!(dpkg(Some(&parse("ID=debian"))), Ecosystem::Debian(String::new()));
        assert_eq!(apk(Some(&parse("ID=alpine\nVERSION_ID=3.20.3"))), Ecosystem::Alpine("v3.20".into()));
        assert_eq!(apk(Some(&parse("ID=alpine\nVERSION_ID=3.21.0_alpha20240807"))), Ecosystem::Alpine("edge".into()));
        assert_eq!(apk(None), Ecosystem::Alpine(String::new()));
    }
}
