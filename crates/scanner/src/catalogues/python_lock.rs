//! What the lock files of Poetry and PDM have in common: a list of packages in TOML. And which groups of theirs, and of Pipenv's and uv's, serve
//! development.

use super::python_installed::normal;
use super::toml_error;
use crate::read::{Lines, List, Told};
use serde::Deserialize;
use toml::Spanned;

#[derive(Deserialize)]
pub(super) struct Lock {
    #[serde(default)]
    pub package: Vec<Locked>,
}

#[derive(Deserialize)]
pub(super) struct Locked {
    pub name: Spanned<String>,
    pub version: Option<String>,
    pub groups: Option<Vec<String>>,
    pub category: Option<String>,
}

/// Whether a group serves development, by the names that people give such groups: whatever else there is may well be what runs.
pub(super) fn develops(group: &str) -> bool {
    matches!(group, "dev" | "develop" | "development" | "test" | "tests" | "lint" | "docs" | "doc")
}

/// Whether all groups of a package do; not where it is in none.
pub(super) fn all_develop(groups: &[String]) -> bool {
    !groups.is_empty() && groups.iter().all(|group| develops(group))
}

/// Reads the text; `development` says of each package whether it serves development only.
pub(super) fn parse(text: &str, development: impl Fn(&Locked) -> bool) -> Result<List, String> {
    let lock: Lock = toml::from_str(text).map_err(|error| toml_error(text, &error))?;
    let lines = Lines::of(text);
    let mut list = List::default();
    for package in lock.package {
        let line = lines.line(package.name.span().start);
        let development = development(&package);
        match package.version {
            Some(version) => list.packages.push(Told { line, development, ..Told::new(normal(package.name.get_ref()), version) }),
            None => list.notes.push((line, format!("`{}` has no version", package.name.get_ref().escape_debug()))),
        }
    }
    Ok(list)
}
