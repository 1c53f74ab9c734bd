//! pnpm's lock file, versions 5 to 9.

use super::{Catalogue, Scope};
use crate::package::Ecosystem;
use crate::read::{List, Reading, Told};
use crate::tree::Entry;
use serde_json::Value;
use std::collections::BTreeSet;

/// See the module.
pub const CATALOGUE: Catalogue = Catalogue { name: "pnpm-lock", scope: Scope::Sources, wants, read };

fn wants(entry: &Entry) -> bool {
    entry.name() == "pnpm-lock.yaml"
}

fn read(reading: &mut Reading<'_>) {
    if let Some(text) = reading.text() {
        reading.take(&Ecosystem::Npm, parse(&text));
    }
}

/// Reads the text. Since version 9 what serves development is what only development leads to.
///
/// # Errors
/// When it is no such lock file.
pub fn parse(text: &str) -> Result<List, String> {
    let lock = k8s::yaml::value(text).map_err(|error| format!("line {}: {}", error.at.line, error.message))?;
    if lock.get("lockfileVersion").is_none() {
        return Err("it is no lock file of pnpm: `lockfileVersion` is missing".to_owned());
    }
    let needed = lock.get("snapshots").map(|snapshots| needed(&lock, snapshots));
    let mut list = List::default();
    let lines = lines(text);
    for (key, package) in lock.get("packages").and_then(Value::as_object).into_iter().flatten() {
        let line = lines.get(key.as_str()).copied();
        // Some are of no registry, and say their name and version inside.
        let inside = |field: &str| package.get(field).and_then(Value::as_str);
        let Some((name, version)) = inside("name").zip(inside("version")).or_else(|| split(key)) else {
            list.notes.push((line, format!("`{}` has no version of a registry", key.escape_debug())));
            continue;
        };
        let development = match &needed {
            Some(needed) => !needed.contains(key),
            None => package.get("dev").and_then(Value::as_bool).unwrap_or(false),
        };
        list.packages.push(Told { line, development, ..Told::new(name, version) });
    }
    Ok(list)
}

/// `/NAME/VERSION_PEERS` (version 5), `/NAME@VERSION(PEERS)` (6), `NAME@VERSION` (9).
fn split(key: &str) -> Option<(&str, &str)> {
    let plain = key.strip_prefix('/').unwrap_or(key);
    let scope = if plain.starts_with('@') { plain.find('/')? } else { 0 };
    // A version begins with a digit; what stands before it ends the name.
    let begins = |at: usize| plain.get(at + 1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let (at, _) = plain.char_indices().find(|(at, c)| *at > scope && matches!(c, '@' | '/') && begins(*at))?;
    let version = plain.get(at + 1..)?.split(['_', '(']).next()?;
    (!version.contains(['/', ':'])).then_some((plain.get(..at)?, version))
}

/// The packages that the importers' own dependencies lead to.
fn needed(lock: &Value, snapshots: &Value) -> BTreeSet<String> {
    const KINDS: [&str; 2] = ["dependencies", "optionalDependencies"];
    let importers = lock.get("importers").and_then(Value::as_object).into_iter().flatten().map(|(_, importer)| importer);
    let direct = importers.flat_map(|importer| KINDS.iter().filter_map(|kind| importer.get(*kind)?.as_object()).flatten());
    let mut left: Vec<String> =
        direct.filter_map(|(name, one)| Some(key_of(name, one.get("version").and_then(Value::as_str).or_else(|| one.as_str())?))).collect();
    let (mut seen, mut needed) = (BTreeSet::new(), BTreeSet::new());
    while let Some(key) = left.pop() {
        if !seen.insert(key.clone()) {
            continue;
        }
        needed.insert(key.split('(').next().unwrap_or_default().to_owned());
        let Some(snapshot) = snapshots.get(&key) else { continue };
        let next = KINDS.iter().filter_map(|kind| snapshot.get(*kind)?.as_object()).flatten();
        left.extend(next.filter_map(|(name, version)| Some(key_of(name, version.as_str()?))));
    }
    needed
}

/// A dependency's key; one under another name has the real name before its version.
fn key_of(name: &str, version: &str) -> String {
    let plain = version.split('(').next().unwrap_or_default();
    if plain.char_indices().skip(1).any(|(_, c)| c == '@') { version.to_owned() } else { format!("{name}@{version}") }
}

/// Where the keys of packages stand.
fn lines(text: &str) -> std::collections::HashMap<&str, u32> {
    let keys = (1u32..).zip(text.lines()).filter_map(|(number, line)| {
        let key = line.strip_prefix("  ").filter(|key| !key.starts_with(' '))?.trim_end().strip_suffix(':')?;
        Some((key.trim_matches(['\'', '"']), number))
    });
    let mut found = std::collections::HashMap::new();
    for (key, number) in keys {
        found.entry(key).or_insert(number);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_every_version_are_known() {
        assert_eq!(split("/@s/a/1.0.0_react@17.0.1"), Some(("@s/a", "1.0.0")));
        assert_eq!(split("/foo/1.0.0"), Some(("foo", "1.0.0")));
        assert_eq!(split("/@s/a@1.0.0(react@17.0.1)"), Some(("@s/a", "1.0.0")));
        assert_eq!(split("@s/a@1.0.0"), Some(("@s/a", "1.0.0")));
        assert_eq!(split("github.com/x/y/abc"), None);
    }

    #[test]
    fn development_is_told_in_old_and_new_files() {
        let old = "lockfileVersion: '6.0'\npackages:\n  /a@1.0.0:\n    dev: false\n  /b@2.0.0(a@1.0.0):\n    dev: true\n";
        let new = "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      a:\n        specifier: ^1\n        version: 1.0.0\n    devDependencies:\n      b:\n        specifier: ^2\n        version: 2.0.0(a@1.0.0)\npackages:\n  a@1.0.0:\n    resolution: {integrity: x}\n  b@2.0.0:\n    resolution: {integrity: x}\nsnapshots:\n  a@1.0.0: {}\n  b@2.0.0(a@1.0.0):\n    dependencies:\n      a: 1.0.0\n";
        let told = |text: &str| {
            parse(text).expect("read").packages.into_iter().map(|told| (told.name, told.version, told.development)).collect::<Vec<_>>()
        };
        assert_eq!(told(new), [("a".into(), "1.0.0".into(), false), ("b".into(), "2.0.0".into(), true)]);
        assert_eq!(told(old), told(new));
        assert_eq!(parse(new).expect("read").packages.first().and_then(|told| told.line), Some(13));
        assert!(parse(&format!("lockfileVersion: {}{}", "[".repeat(1000), "]".repeat(1000))).is_err());
    }
}
