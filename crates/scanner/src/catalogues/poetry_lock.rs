//! Poetry's lock file.

use super::{Catalogue, Scope, python_lock};
use crate::package::Ecosystem;
use crate::read::{List, Reading};
use crate::tree::Entry;

/// See the module.
pub const CATALOGUE: Catalogue = Catalogue { name: "poetry-lock", scope: Scope::Sources, wants, read };

fn wants(entry: &Entry) -> bool {
    entry.name() == "poetry.lock"
}

fn read(reading: &mut Reading<'_>) {
    if let Some(text) = reading.text() {
        reading.take(&Ecosystem::PyPi, parse(&text));
    }
}

/// Reads the text. Development is known from `groups` (Poetry 2), where all of them are named for it, or `category` (before 1.5); where neither
/// is there, all count.
///
/// # Errors
/// When it is no such lock file.
pub fn parse(text: &str) -> Result<List, String> {
    python_lock::parse(text, |package| match (&package.groups, package.category.as_deref()) {
        (Some(groups), _) => python_lock::all_develop(groups),
        (None, category) => category == Some("dev"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_name_development_are_known() {
        let text = "[[package]]\nname = \"Flask\"\nversion = \"2.0\"\ngroups = [\"main\", \"dev\"]\n\n[[package]]\nname = \"mypy\"\nversion = \"1.0\"\ngroups = [\"dev\"]\n\n[[package]]\nname = \"old\"\nversion = \"1\"\ncategory = \"dev\"\n\n[[package]]\nname = \"gunicorn\"\nversion = \"1\"\ngroups = [\"server\"]\n";
        let found: Vec<_> = parse(text).expect("read").packages.into_iter().map(|told| (told.name, told.development, told.line)).collect();
        assert_eq!(
            found,
            [
                ("flask".into(), false, Some(2)),
                ("mypy".into(), true, Some(7)),
                ("old".into(), true, Some(12)),
                ("gunicorn".into(), false, Some(17))
            ]
        );
    }
}
