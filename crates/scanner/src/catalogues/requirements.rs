//! pip's requirements files: what is pinned to one version.

use super::python_installed::normal;
use super::{Catalogue, Scope};
use crate::package::Ecosystem;
use crate::read::{LARGEST_BYTES, List, Reading, Told};
use crate::tree::Entry;
use std::collections::BTreeSet;

/// See the module.
pub const CATALOGUE: Catalogue = Catalogue { name: "requirements", scope: Scope::Sources, wants, read };

/// So many files are followed from one.
const MOST_FILES: usize = 100;

fn wants(entry: &Entry) -> bool {
    let is_text = entry.name().ends_with(".txt");
    is_text && (entry.name().contains("requirements") || entry.folder().rsplit('/').next() == Some("requirements"))
}

/// What a file asks for, and the files that it names with `-r`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// Packages, and what is no pin.
    pub list: List,
    /// Other such files, relative to its folder.
    pub includes: Vec<String>,
}

fn read(reading: &mut Reading<'_>) {
    let Some(text) = reading.text() else { return };
    let Requirements { list, includes } = parse(&text);
    reading.add_all(&Ecosystem::PyPi, list);
    let mut seen = BTreeSet::from([reading.entry.path.clone()]);
    let mut left: Vec<String> = includes.iter().map(|name| beside(reading.entry.folder(), name)).collect();
    while let Some(path) = left.pop() {
        // Also what would be wanted by its own name: git may ignore it, or one file was named alone. What is read twice is kept once.
        if !seen.insert(path.clone()) {
            continue;
        }
        let found = reading.tree.entry(&path).filter(|_| seen.len() <= MOST_FILES + 1);
        let Some(bytes) = found.as_ref().and_then(|entry| reading.tree.read(entry, LARGEST_BYTES).ok()) else {
            reading.unread(format!("it names `{}`, which cannot be read here", path.escape_debug()));
            continue;
        };
        let more = parse(&String::from_utf8_lossy(&bytes));
        left.extend(more.includes.iter().map(|name| beside(path.rsplit_once('/').map(|(folder, _)| folder).unwrap_or_default(), name)));
        if let Some(entry) = &found {
            Reading { entry, tree: reading.tree, os: reading.os, found: reading.found }.add_all(&Ecosystem::PyPi, more.list);
        }
    }
}

/// A path relative to a folder, `..` taken literally; one that leads out stays as it is and is not found.
fn beside(folder: &str, name: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in name.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part == ".." && parts.last().is_some_and(|last| *last != "..") {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

/// Reads the text (pip, "Requirements File Format").
pub fn parse(text: &str) -> Requirements {
    let mut requirements = Requirements::default();
    let mut whole = String::new();
    let mut begin = 1;
    for (number, line) in (1u32..).zip(text.lines()) {
        if whole.is_empty() {
            begin = number;
        }
        if let Some(part) = line.strip_suffix('\\') {
            whole.push_str(part);
            whole.push(' ');
            continue;
        }
        whole.push_str(line);
        one(&whole, begin, &mut requirements);
        whole.clear();
    }
    one(&whole, begin, &mut requirements);
    requirements
}

fn one(line: &str, number: u32, into: &mut Requirements) {
    let line = line.trim();
    let line = if line.starts_with('#') { "" } else { line.split(" #").next().unwrap_or_default().trim() };
    if let Some(rest) = ["--requirement", "-r"].iter().find_map(|option| line.strip_prefix(option)) {
        into.includes.push(rest.trim_start_matches(['=', ' ', '\t']).trim().to_owned());
        return;
    }
    let note = |why: &str| (Some(number), format!("`{}` {why}", line.split_whitespace().next().unwrap_or_default().escape_debug()));
    if line.starts_with("-e") || line.starts_with("--editable") {
        into.list.notes.push((Some(number), "an editable requirement has no version".to_owned()));
    } else if line.is_empty() || line.starts_with('-') {
        // Options of pip.
    } else {
        match pin(line) {
            Some((name, version)) => into.list.packages.push(Told { line: Some(number), ..Told::new(normal(name), version) }),
            None => into.list.notes.push(note("is not pinned to one version with `==`")),
        }
    }
}

/// The name and version of a requirement that allows only one.
fn pin(line: &str) -> Option<(&str, &str)> {
    let requirement = line.split(" --").next()?.split(';').next()?;
    let end = requirement.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))).unwrap_or(requirement.len());
    let (name, rest) = requirement.split_at_checked(end)?;
    let rest = rest.trim_start();
    let rest = if rest.starts_with('[') { rest.split_once(']')?.1 } else { rest };
    let rest = rest.trim().trim_start_matches('(').trim_end_matches(')');
    let version = rest.split(',').find_map(|one| one.trim().strip_prefix("==")).map(|version| version.trim_start_matches('=').trim())?;
    let plain = !version.is_empty() && !version.ends_with('*') && !version.contains(char::is_whitespace);
    (!name.is_empty() && plain).then_some((name, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pins_are_packages() {
        let text = "# all\nFlask==2.0.1 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\nuWSGI[x] == 2.0 ; python_version > '3' # why\nrequests>=2\nfoo==1.*\n-r base.in\n--index-url https://x\n-e ./local\npkg @ https://x/y.whl\nz===1.0+l\n";
        let read = parse(text);
        let found: Vec<_> = read.list.packages.iter().map(|told| (told.name.as_str(), told.version.as_str(), told.line)).collect();
        assert_eq!(found, [("flask", "2.0.1", Some(2)), ("uwsgi", "2.0", Some(5)), ("z", "1.0+l", Some(12))]);
        assert_eq!(read.list.notes.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [Some(6), Some(7), Some(10), Some(11)]);
        assert_eq!(read.includes, ["base.in"]);
        assert_eq!((beside("a/b", "../c.in"), beside("", "../c.in")), ("a/c.in".to_owned(), "../c.in".to_owned()));
    }
}
