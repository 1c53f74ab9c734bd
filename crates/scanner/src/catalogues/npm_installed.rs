//! Installed npm packages: their own `package.json` in a `node_modules`.

use super::{Catalogue, Scope};
use crate::package::Ecosystem;
use crate::read::{List, Reading, Told};
use crate::tree::Entry;
use serde::Deserialize;
use serde_json::Value;

/// See the module.
pub const CATALOGUE: Catalogue = Catalogue { name: "npm-installed", scope: Scope::Installed, wants, read };

/// `node_modules/NAME/package.json` or `node_modules/@SCOPE/NAME/package.json`; those further down belong to a package's own files.
fn wants(entry: &Entry) -> bool {
    let mut parts = entry.path.rsplit('/');
    if parts.next() != Some("package.json") || parts.next().is_none() {
        return false;
    }
    match parts.next() {
        Some("node_modules") => true,
        Some(scope) => scope.starts_with('@') && parts.next() == Some("node_modules"),
        None => false,
    }
}

fn read(reading: &mut Reading<'_>) {
    if let Some(text) = reading.text() {
        reading.take(&Ecosystem::Npm, parse(&text));
    }
}

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    name: Value,
    #[serde(default)]
    version: Value,
    license: Option<Value>,
    licenses: Option<Value>,
}

/// Reads the text (npm, "package.json"). One without name or version is no package but tells a folder's kind.
///
/// # Errors
/// When it is no JSON object.
pub fn parse(text: &str) -> Result<List, String> {
    let manifest: Manifest = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| error.to_string())?;
    let (Some(name), Some(version)) = (manifest.name.as_str(), manifest.version.as_str()) else { return Ok(List::default()) };
    let licenses = licenses(manifest.license.as_ref().or(manifest.licenses.as_ref()));
    // `v1.0` and `=1.0` are read as `1.0` by npm itself.
    let version = version.trim().trim_start_matches(['v', '=']);
    Ok(List { packages: vec![Told { licenses, ..Told::new(name, version) }], notes: Vec::new() })
}

/// A licence as a text, as `{type}`, or a list of either.
pub(super) fn licenses(value: Option<&Value>) -> Vec<String> {
    let one = |value: &Value| value.as_str().or_else(|| value.get("type")?.as_str()).map(str::to_owned);
    match value {
        Some(Value::Array(list)) => list.iter().filter_map(one).collect(),
        Some(value) => one(value).into_iter().collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packages_themselves_are_wanted() {
        let wanted = |path: &str| wants(&Entry::named(path));
        assert!(wanted("usr/lib/node_modules/npm/package.json") && wanted("app/node_modules/a/node_modules/@s/b/package.json"));
        let not = [
            "app/package.json",
            "app/node_modules/a/dist/package.json",
            "app/node_modules/package.json",
            "package.json",
            "node_modules/@s/b/c/package.json",
        ];
        assert_eq!(not.iter().filter(|path| wanted(path)).count(), 0);
        let told = parse(r#"{"name": "@s/b", "version": "v1.0.0", "licenses": [{"type": "MIT"}, "ISC"]}"#).expect("read").packages;
        assert_eq!(told, [Told { licenses: vec!["MIT".into(), "ISC".into()], ..Told::new("@s/b", "1.0.0") }]);
        assert_eq!(parse(r#"{"type": "module"}"#), Ok(List::default()));
    }
}
