//! npm's lock file, versions 1 to 3, and its older name for publishing.

use super::{Catalogue, Scope};
use crate::package::Ecosystem;
use crate::read::{List, Reading, Told, json_lines};
use crate::tree::Entry;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

/// See the module.
pub const CATALOGUE: Catalogue = Catalogue { name: "npm-lock", scope: Scope::Sources, wants, read };

fn wants(entry: &Entry) -> bool {
    matches!(entry.name(), "package-lock.json" | "npm-shrinkwrap.json")
}

fn read(reading: &mut Reading<'_>) {
    if let Some(text) = reading.text() {
        reading.take(&Ecosystem::Npm, parse(&text));
    }
}

#[derive(Deserialize)]
struct Lock {
    packages: Option<BTreeMap<String, Placed>>,
    #[serde(default)]
    dependencies: BTreeMap<String, Nested>,
}

/// A package by the folder that it goes into (versions 2 and 3).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Placed {
    name: Option<String>,
    version: Option<String>,
    #[serde(default)]
    link: bool,
    #[serde(default)]
    dev: bool,
    license: Option<serde_json::Value>,
}

/// A package by its name within the one whose folder it goes into (version 1).
#[derive(Deserialize)]
struct Nested {
    #[serde(default)]
    version: String,
    #[serde(default)]
    dev: bool,
    #[serde(default)]
    dependencies: BTreeMap<String, Nested>,
}

/// Reads the text (npm, "package-lock.json"). JSON nested deeper than 128 is refused, so that no recursion here is deeper.
///
/// # Errors
/// When it is no such lock file.
pub fn parse(text: &str) -> Result<List, String> {
    let lock: Lock = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let lines = json_lines(text);
    let mut list = List::default();
    match &lock.packages {
        Some(packages) => packages.iter().for_each(|(place, package)| placed(place, package, &lines, &mut list)),
        None => nested(&lock.dependencies, &lines, &mut list),
    }
    Ok(list)
}

fn placed(place: &str, package: &Placed, lines: &HashMap<&str, u32>, list: &mut List) {
    // The project itself, and folders of its workspaces.
    let Some((_, name)) = place.rsplit_once("node_modules/").filter(|_| !package.link) else { return };
    let name = package.name.as_deref().unwrap_or(name);
    let line = lines.get(place).copied();
    match package.version.as_deref() {
        Some(version) if is_version(version) => {
            let licenses = super::npm_installed::licenses(package.license.as_ref());
            list.packages.push(Told { line, development: package.dev, licenses, ..Told::new(name, version) });
        }
        _ => list.notes.push((line, format!("`{}` has no version of a registry", name.escape_debug()))),
    }
}

fn nested(packages: &BTreeMap<String, Nested>, lines: &HashMap<&str, u32>, list: &mut List) {
    for (name, package) in packages {
        let line = lines.get(name.as_str()).copied();
        // `npm:NAME@VERSION` is a package under another name.
        let (name, version) =
            package.version.strip_prefix("npm:").and_then(|real| real.rsplit_once('@')).unwrap_or((name.as_str(), &package.version));
        if is_version(version) {
            list.packages.push(Told { line, development: package.dev, ..Told::new(name, version) });
        } else {
            list.notes.push((line, format!("`{}` has no version of a registry", name.escape_debug())));
        }
        nested(&package.dependencies, lines, list);
    }
}

/// Not a path, an address or a repository.
fn is_version(version: &str) -> bool {
    version.starts_with(|c: char| c.is_ascii_digit()) && !version.contains(['/', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_versions_tell_the_same() {
        let new = "{\n\"lockfileVersion\": 3,\n\"packages\": {\n\"\": {\"name\": \"app\", \"version\": \"1.0.0\"},\n\"node_modules/a\": {\"version\": \"1.2.3\", \"license\": \"MIT\"},\n\"node_modules/a/node_modules/@s/b\": {\"version\": \"2.0.0\", \"dev\": true},\n\"node_modules/alias\": {\"name\": \"real\", \"version\": \"3.0.0\"},\n\"node_modules/own\": {\"resolved\": \"own\", \"link\": true},\n\"own\": {\"version\": \"0.0.1\"}\n}}";
        let old = "{\n\"lockfileVersion\": 1,\n\"dependencies\": {\n\"a\": {\n\"version\": \"1.2.3\", \"dependencies\": {\n\"@s/b\": {\"version\": \"2.0.0\", \"dev\": true}}},\n\"alias\": {\"version\": \"npm:real@3.0.0\"},\n\"git\": {\"version\": \"git+ssh://x#abc\"}}}";
        let told = |text: &str| {
            let mut found: Vec<_> =
                parse(text).expect("read").packages.into_iter().map(|told| (told.name, told.version, told.development)).collect();
            found.sort();
            found
        };
        assert_eq!(told(new), told(old));
        assert_eq!(told(new).len(), 3);
        let list = parse(new).expect("read");
        assert!(list.packages.iter().any(|told| told.name == "@s/b" && told.line == Some(6)), "{list:?}");
        assert!(list.packages.iter().any(|told| told.licenses == ["MIT"]));
        assert_eq!(parse(old).expect("read").notes.len(), 1);
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = format!("{}{}", "{\"dependencies\": {\"a\": ".repeat(1000), "{}".to_owned() + &"}}".repeat(1000));
        assert!(parse(&deep).expect_err("too deep").contains("recursion limit"));
    }
}
