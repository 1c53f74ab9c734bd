//! Cargo's lock file.

use super::{Catalogue, Scope};
use crate::package::Ecosystem;
use crate::read::{Lines, List, Reading, Told};
use crate::tree::Entry;
use serde::Deserialize;
use toml::Spanned;

/// See the module.
pub const CATALOGUE: Catalogue = Catalogue { name: "cargo-lock", scope: Scope::Sources, wants, read };

fn wants(entry: &Entry) -> bool {
    entry.name() == "Cargo.lock"
}

fn read(reading: &mut Reading<'_>) {
    if let Some(text) = reading.text() {
        reading.take(&Ecosystem::Cargo, parse(&text));
    }
}

#[derive(Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: Spanned<String>,
    version: String,
    source: Option<String>,
}

/// Reads the text. Crates without a source are the workspace's own, or lie in a folder beside it: nobody publishes advisories for those.
///
/// # Errors
/// When it is no lock file.
pub fn parse(text: &str) -> Result<List, String> {
    let lock: Lock = toml::from_str(text).map_err(|error| super::toml_error(text, &error))?;
    let lines = Lines::of(text);
    let published = lock.package.into_iter().filter(|package| package.source.is_some());
    let packages = published
        .map(|package| Told { line: lines.line(package.name.span().start), ..Told::new(package.name.into_inner(), package.version) });
    Ok(List { packages: packages.collect(), notes: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_have_their_lines_and_the_workspace_is_left_out() {
        let text = "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"time\"\nversion = \"0.1.44\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n";
        let list = parse(text).expect("read");
        assert_eq!(list.packages, [Told { line: Some(8), ..Told::new("time", "0.1.44") }]);
        let error = parse("[[package]]\nname = 1").expect_err("no lock file");
        assert!(error.starts_with("line 2: "), "{error}");
        let deep = format!("x = {}{}", "[".repeat(1000), "]".repeat(1000));
        assert!(parse(&deep).is_err());
    }
}
