//! What a catalogue is given while it reads one file: its content, and where to put what it found.

use crate::package::{Ecosystem, Os, Package, Source};
use crate::tree::{Content, Entry, Tree, failed, unread};
use base::{Finding, Place, Severity};
use std::collections::HashMap;

/// Lock files, databases and lists larger than this are not read.
pub const LARGEST_BYTES: u64 = 64 << 20;
/// More packages than this are not kept of one target.
pub const MOST_PACKAGES: usize = 1_000_000;

/// What was found so far in a target.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub packages: Vec<Package>,
    pub unread: Vec<Finding>,
}

/// A package as a file tells of it, before anybody knows where the file is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// Its name as the ecosystem compares it.
    pub name: String,
    /// Its version as written.
    pub version: String,
    /// What it was built from, where that differs.
    pub source: Option<Source>,
    /// Its architecture.
    pub architecture: Option<String>,
    /// Its licences as written.
    pub licenses: Vec<String>,
    /// Its line, from 1.
    pub line: Option<u32>,
    /// Whether it serves development only.
    pub development: bool,
}

impl Told {
    /// With a name and a version only.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { name: name.into(), version: version.into(), ..Self::default() }
    }
}

/// What a file tells of: packages, and what is in it that is no package with a version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// The packages.
    pub packages: Vec<Told>,
    /// What could not be taken, with its line.
    pub notes: Vec<(Option<u32>, String)>,
}

/// One file that a catalogue reads.
#[derive(Debug)]
pub struct Reading<'a> {
    /// The file.
    pub entry: &'a Entry,
    /// The tree that it is in.
    pub tree: &'a Tree,
    /// The image's distribution.
    pub os: Option<&'a Os>,
    pub(crate) found: &'a mut Found,
}

impl Reading<'_> {
    /// The file's content; when it cannot be read that is told, and there is none.
    pub fn bytes(&mut self) -> Option<Vec<u8>> {
        let read = self.tree.read(self.entry, LARGEST_BYTES);
        read.map_err(|error| self.failed(&error.source)).ok()
    }

    /// The same as text; bytes that are none are replaced.
    pub fn text(&mut self) -> Option<String> {
        self.bytes().map(|bytes| match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// The open file; when it cannot be opened that is told.
    pub fn open(&mut self) -> Option<Content> {
        let open = self.tree.open(self.entry);
        open.map_err(|error| self.failed(&error.source)).ok()
    }

    /// The whole file could not be read.
    pub fn unread(&mut self, why: impl Into<String>) {
        self.found.unread.push(unread(&self.entry.path, why));
    }

    /// Reading the file failed.
    pub fn failed(&mut self, error: &std::io::Error) {
        self.found.unread.push(failed(&self.entry.path, error));
    }

    /// Adds a package that the file tells of, brought by the file's own layer.
    pub fn add(&mut self, ecosystem: Ecosystem, told: Told) {
        let layer = self.tree.layer(self.entry).map(str::to_owned);
        self.add_of_layer(ecosystem, told, layer);
    }

    /// Adds a package that another layer brought.
    pub fn add_of_layer(&mut self, ecosystem: Ecosystem, told: Told, layer: Option<String>) {
        if self.found.packages.len() >= MOST_PACKAGES {
            if self.found.packages.len() == MOST_PACKAGES {
                self.unread(format!("only the first {MOST_PACKAGES} packages are kept"));
            }
            return;
        }
        let Told { name, version, source, architecture, licenses, line, development } = told;
        let file = self.entry.path.clone();
        let package = Package { ecosystem, name, version, source, architecture, licenses, file, line, layer, development, owned: false };
        self.found.packages.push(package);
    }

    /// Adds all that a list has.
    pub fn add_all(&mut self, ecosystem: &Ecosystem, list: List) {
        for told in list.packages {
            self.add(ecosystem.clone(), told);
        }
        for (line, message) in list.notes {
            let place = Place { file: Some(self.entry.path.clone()), line, ..Place::default() };
            self.found.unread.push(Finding::new("unread", Severity::Info, place, message));
        }
    }

    /// As [`Reading::add_all`] of what a format's reader made of the text.
    pub fn take(&mut self, ecosystem: &Ecosystem, read: Result<List, String>) {
        match read {
            Ok(list) => self.add_all(ecosystem, list),
            Err(why) => self.unread(why),
        }
    }
}

/// Where lines begin in a text.
#[derive(Debug)]
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1)).collect())
    }

    /// The line of a byte, from 1.
    pub(crate) fn line(&self, at: usize) -> Option<u32> {
        u32::try_from(self.0.partition_point(|&begin| begin <= at)).ok().filter(|line| *line > 0)
    }
}

/// The lines of a JSON text's fields, for those names that begin exactly one line.
pub(crate) fn json_lines(text: &str) -> HashMap<&str, u32> {
    let mut lines: HashMap<&str, Option<u32>> = HashMap::new();
    for (number, line) in (1u32..).zip(text.lines()) {
        let Some((name, rest)) = line.trim_start().strip_prefix('"').and_then(|line| line.split_once('"')) else { continue };
        if rest.trim_start().starts_with(':') {
            lines.entry(name).and_modify(|line| *line = None).or_insert(Some(number));
        }
    }
    lines.into_iter().filter_map(|(name, line)| Some((name, line?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_from_one() {
        let lines = Lines::of("a\nbc\n");
        assert_eq!([0, 1, 2, 4, 5].map(|at| lines.line(at)), [Some(1), Some(1), Some(2), Some(2), Some(3)]);
        let found = json_lines("{\n \"a\": {\n  \"x\": 1 },\n \"b\": {\n  \"x\": 2 }\n}");
        assert_eq!((found.get("a"), found.get("b"), found.get("x")), (Some(&2), Some(&4), None));
    }
}
