//! Pipenv's lock file.

use super::python_installed::normal;
use super::python_lock::develops;
use super::{Catalogue, Scope};
use crate::package::Ecosystem;
use crate::read::{List, Reading, Told, json_lines};
use crate::tree::Entry;
use serde::Deserialize;
use std::collections::BTreeMap;

/// See the module.
pub const CATALOGUE: Catalogue = Catalogue { name: "pipfile-lock", scope: Scope::Sources, wants, read };

fn wants(entry: &Entry) -> bool {
    entry.name() == "Pipfile.lock"
}

fn read(reading: &mut Reading<'_>) {
    if let Some(text) = reading.text() {
        reading.take(&Ecosystem::PyPi, parse(&text));
    }
}

/// Groups by name: `default`, `develop`, and whatever categories there are. `_meta` is none, but has the same shape.
#[derive(Deserialize)]
struct Lock(BTreeMap<String, BTreeMap<String, serde_json::Value>>);

/// Reads the text.
///
/// # Errors
/// When it is no such lock file.
pub fn parse(text: &str) -> Result<List, String> {
    let Lock(groups) = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let lines = json_lines(text);
    let mut list = List::default();
    for (group, packages) in groups.iter().filter(|(group, _)| *group != "_meta") {
        for (name, locked) in packages {
            let line = lines.get(name.as_str()).copied();
            let version = locked.get("version").and_then(|version| version.as_str()).and_then(|version| version.strip_prefix("=="));
            match version {
                Some(version) => {
                    let development = develops(group);
                    list.packages.push(Told { line, development, ..Told::new(normal(name), version.trim_start_matches('=')) });
                }
                None => list.notes.push((line, format!("`{}` is not pinned to one version", name.escape_debug()))),
            }
        }
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_kept_apart() {
        let text = "{\n \"_meta\": {\"sources\": []},\n \"default\": {\n  \"Jinja2\": {\n   \"hashes\": [],\n   \"version\": \"==3.0.0\"\n  },\n  \"own\": {\"git\": \"https://x\", \"ref\": \"abc\"}\n },\n \"develop\": {\n  \"pytest\": {\"version\": \"==7.0\"}\n },\n \"production\": {\n  \"gunicorn\": {\"version\": \"==20.0\"}\n }\n}";
        let list = parse(text).expect("read");
        let jinja = Told { line: Some(4), ..Told::new("jinja2", "3.0.0") };
        let pytest = Told { line: Some(11), development: true, ..Told::new("pytest", "7.0") };
        assert_eq!(list.packages, [jinja, pytest, Told { line: Some(14), ..Told::new("gunicorn", "20.0") }]);
        assert_eq!(list.notes.len(), 1);
        assert!(parse(&format!("{{\"default\": {{\"x\": {}{} }} }}", "[".repeat(1000), "]".repeat(1000))).is_err());
    }
}
