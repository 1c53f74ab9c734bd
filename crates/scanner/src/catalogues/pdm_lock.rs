//! PDM's lock file.

use super::{Catalogue, Scope, python_lock};
use crate::package::Ecosystem;
use crate::read::{List, Reading};
use crate::tree::Entry;

/// See the module.
pub const CATALOGUE: Catalogue = Catalogue { name: "pdm-lock", scope: Scope::Sources, wants, read };

fn wants(entry: &Entry) -> bool {
    entry.name() == "pdm.lock"
}

fn read(reading: &mut Reading<'_>) {
    if let Some(text) = reading.text() {
        reading.take(&Ecosystem::PyPi, parse(&text));
    }
}

/// Reads the text. Groups cannot be told from extras; only those that are named for development or tests are not the project's own.
///
/// # Errors
/// When it is no such lock file.
pub fn parse(text: &str) -> Result<List, String> {
    python_lock::parse(text, |package| python_lock::all_develop(package.groups.as_deref().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_tell_development() {
        let text = "[metadata]\ngroups = [\"default\", \"dev\"]\n\n[[package]]\nname = \"a\"\nversion = \"1\"\ngroups = [\"default\"]\n\n[[package]]\nname = \"b\"\nversion = \"2\"\ngroups = [\"dev\"]\n";
        let found: Vec<_> = parse(text).expect("read").packages.into_iter().map(|told| (told.name, told.development)).collect();
        assert_eq!(found, [("a".into(), false), ("b".into(), true)]);
    }
}
