//! uv's lock file.

use super::python_installed::normal;
use super::python_lock::develops;
use super::{Catalogue, Scope, toml_error};
use crate::package::Ecosystem;
use crate::read::{Lines, List, Reading, Told};
use crate::tree::Entry;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use toml::Spanned;

/// See the module.
pub const CATALOGUE: Catalogue = Catalogue { name: "uv-lock", scope: Scope::Sources, wants, read };

fn wants(entry: &Entry) -> bool {
    entry.name() == "uv.lock"
}

fn read(reading: &mut Reading<'_>) {
    if let Some(text) = reading.text() {
        reading.take(&Ecosystem::PyPi, parse(&text));
    }
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Locked>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Locked {
    name: Spanned<String>,
    version: Option<String>,
    #[serde(default)]
    source: BTreeMap<String, toml::Value>,
    #[serde(default)]
    dependencies: Vec<Dependency>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, Vec<Dependency>>,
    #[serde(default)]
    dev_dependencies: BTreeMap<String, Vec<Dependency>>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
}

impl Locked {
    /// Whether it is the project itself or a member of its workspace.
    fn is_own(&self) -> bool {
        ["virtual", "editable"].iter().any(|kind| self.source.contains_key(*kind))
    }

    fn needs(&self) -> impl Iterator<Item = &str> {
        self.dependencies.iter().chain(self.optional_dependencies.values().flatten()).map(|dependency| dependency.name.as_str())
    }

    /// What its groups for development need, or the others: a group may be named for anything.
    fn groups(&self, development: bool) -> impl Iterator<Item = &str> {
        let groups = self.dev_dependencies.iter().filter(move |(group, _)| develops(group) == development);
        groups.flat_map(|(_, needs)| needs).map(|dependency| dependency.name.as_str())
    }
}

/// Reads the text. What only the development groups of the project lead to serves development.
///
/// # Errors
/// When it is no such lock file.
pub fn parse(text: &str) -> Result<List, String> {
    let lock: Lock = toml::from_str(text).map_err(|error| toml_error(text, &error))?;
    let reached = |begin: &mut dyn Iterator<Item = &str>| {
        let mut packages: BTreeMap<&str, Vec<&Locked>> = BTreeMap::new();
        lock.package.iter().for_each(|package| packages.entry(package.name.get_ref()).or_default().push(package));
        let (mut reached, mut left) = (BTreeSet::new(), begin.map(str::to_owned).collect::<Vec<_>>());
        while let Some(name) = left.pop() {
            if reached.insert(name.clone()) {
                left.extend(packages.get(name.as_str()).into_iter().flatten().flat_map(|package| package.needs()).map(str::to_owned));
            }
        }
        reached
    };
    let own = || lock.package.iter().filter(|package| package.is_own());
    let needed = reached(&mut own().flat_map(|package| package.needs().chain(package.groups(false))));
    let developing = reached(&mut own().flat_map(|package| package.groups(true)));
    let lines = Lines::of(text);
    let mut list = List::default();
    for package in lock.package.iter().filter(|package| !package.is_own()) {
        let (name, line) = (package.name.get_ref(), lines.line(package.name.span().start));
        let development = developing.contains(name) && !needed.contains(name);
        match &package.version {
            Some(version) => list.packages.push(Told { line, development, ..Told::new(normal(name), version) }),
            None => list.notes.push((line, format!("`{}` has no version", name.escape_debug()))),
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_development_alone_needs_serves_it() {
        let package = |name: &str, needs: &str| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"1.0\"\nsource = {{ registry = \"https://x\" }}\n{needs}\n")
        };
        let text = [
            "version = 1\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\nsource = { virtual = \".\" }\ndependencies = [{ name = \"Flask\" }]\n\n[package.dev-dependencies]\ndev = [{ name = \"pytest\" }]\nserver = [{ name = \"gunicorn\" }]\n".to_owned(),
            package("Flask", "dependencies = [{ name = \"click\" }]"),
            package("click", ""),
            package("pytest", "dependencies = [{ name = \"click\" }, { name = \"pluggy\", marker = \"x\" }]"),
            package("pluggy", ""),
            package("gunicorn", ""),
        ];
        let found: Vec<_> = parse(&text.concat()).expect("read").packages.into_iter().map(|told| (told.name, told.development)).collect();
        let expected = [("flask", false), ("click", false), ("pytest", true), ("pluggy", true), ("gunicorn", false)];
        assert_eq!(found, expected.map(|(name, development)| (name.to_owned(), development)));
    }
}
