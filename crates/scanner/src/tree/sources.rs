//! A folder of sources, without what git ignores and what tools put there: what is installed says nothing that the lock file does not.

use super::root::Root;
use super::{Entry, MOST_FILES, failed, unread};
use base::Finding;
use ignore::{DirEntry, WalkBuilder};
use std::path::Path;

/// Folders that are never sources.
const MADE: [&str; 2] = [".git", "node_modules"];
/// Files that mark the folder they are in as made by a tool: cargo's and others' caches, a virtual environment, a vendored crate.
const MARKS: [&str; 3] = ["CACHEDIR.TAG", "pyvenv.cfg", ".cargo-checksum.json"];

pub(super) fn walk(path: &Path, root: Option<&Root>, visit: &mut dyn FnMut(Entry)) -> Vec<Finding> {
    let (mut findings, mut files) = (Vec::new(), 0usize);
    let mut walk = WalkBuilder::new(path);
    walk.standard_filters(false).git_ignore(true).git_exclude(true).parents(true).follow_links(false).filter_entry(is_source);
    walk.sort_by_file_name(std::cmp::Ord::cmp);
    for entry in walk.build() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                findings.push(unread("", error.to_string()));
                continue;
            }
        };
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let Some(name) = entry.path().strip_prefix(path).ok().and_then(Path::to_str) else { continue };
        match root.map(|root| root.stat_file(name.as_bytes())) {
            Some(Ok(Some((size, executable)))) => visit(Entry { path: name.to_owned(), size, executable, root: 0 }),
            Some(Err(error)) => findings.push(failed(name, &error.source)),
            _ => {}
        }
        files += 1;
        if files > MOST_FILES {
            findings.push(unread("", format!("only the first {MOST_FILES} files were looked at")));
            break;
        }
    }
    findings
}

fn is_source(entry: &DirEntry) -> bool {
    if entry.depth() == 0 || !entry.file_type().is_some_and(|kind| kind.is_dir()) {
        return true;
    }
    !MADE.iter().any(|made| entry.file_name() == *made) && !MARKS.iter().any(|mark| entry.path().join(mark).exists())
}
