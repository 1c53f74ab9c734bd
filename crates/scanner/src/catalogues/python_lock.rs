//! What the lock files of Poetry and PDM have in common: a list of packages in TOML.

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
