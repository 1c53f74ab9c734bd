//! Installed Python packages: their `METADATA`, or the older `PKG-INFO`.

use super::{Catalogue, Scope};
use crate::package::Ecosystem;
use crate::read::{List, Reading, Told};
use crate::tree::Entry;

/// See the module.
pub const CATALOGUE: Catalogue = Catalogue { name: "python-installed", scope: Scope::Installed, wants, read };

fn wants(entry: &Entry) -> bool {
    let folder = entry.folder();
    match entry.name() {
        "METADATA" => folder.ends_with(".dist-info"),
        "PKG-INFO" => folder.ends_with(".egg-info") || folder.ends_with("/EGG-INFO"),
        name => name.ends_with(".egg-info"),
    }
}

fn read(reading: &mut Reading<'_>) {
    if let Some(text) = reading.text() {
        reading.take(&Ecosystem::PyPi, parse(&text));
    }
}

/// A name as PyPI compares it (PEP 503): lower case, runs of `-`, `_` and `.` as one `-`.
pub fn normal(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for c in name.trim().chars() {
        match c {
            '-' | '_' | '.' if normal.ends_with('-') => {}
            '-' | '_' | '.' => normal.push('-'),
            c => normal.extend(c.to_lowercase()),
        }
    }
    normal
}

/// Reads core metadata (packaging.python.org, "Core metadata specifications"): the fields before the first empty line.
///
/// # Errors
/// When it has no name or no version.
pub fn parse(text: &str) -> Result<List, String> {
    let (mut name, mut version) = ("", "");
    let (mut expression, mut license, mut classes) = ("", "", Vec::new());
    for line in text.lines().take_while(|line| !line.trim().is_empty()) {
        let Some((field, value)) = line.split_once(':').filter(|_| !line.starts_with([' ', '\t'])) else { continue };
        let value = value.trim();
        match field.to_ascii_lowercase().as_str() {
            "name" => name = value,
            "version" => version = value,
            "license-expression" => expression = value,
            "license" if value.len() <= 100 && value != "UNKNOWN" => license = value,
            "classifier" => classes.extend(value.strip_prefix("License :: ").and_then(|value| value.rsplit(" :: ").next())),
            _ => {}
        }
    }
    if name.is_empty() || version.is_empty() {
        return Err("it has no name or no version".to_owned());
    }
    let licenses = match (expression, license) {
        ("", "") => classes,
        ("", license) => vec![license],
        (expression, _) => vec![expression],
    };
    let told = Told { licenses: licenses.into_iter().map(str::to_owned).collect(), ..Told::new(normal(name), version) };
    Ok(List { packages: vec![told], notes: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normal_and_the_text_below_is_left_alone() {
        let list = parse(
            "Metadata-Version: 2.1\nName: Flask_SQL.Alchemy\nVersion: 3.0\nLicense: UNKNOWN\nClassifier: License :: OSI Approved :: BSD License\n\nName: no\n",
        );
        let expected = Told { licenses: vec!["BSD License".to_owned()], ..Told::new("flask-sql-alchemy", "3.0") };
        assert_eq!(list.expect("read").packages, [expected]);
        assert!(parse("Name: x\n\nVersion: 1").is_err());
        assert_eq!(normal("A--b__C"), "a-b-c");
    }
}
