//! Layers seen as one, by the rules of the overlay file system: the topmost wins, a whiteout hides, folders join.

use super::root::{Root, Sort};
use super::{Entry, MOST_FILES, failed, unread};
use base::Finding;
use std::collections::BTreeMap;

/// A folder that is to be looked at, and the layers whose folders of that name are joined, the topmost first.
struct Folder {
    path: Vec<u8>,
    roots: Vec<usize>,
}

/// What the layers looked at so far have under one name.
enum Seen {
    /// Folders of these layers; whether those further down still join.
    Folder {
        roots: Vec<usize>,
        open: bool,
    },
    File(Entry),
    /// Nothing that is looked at, but it hides what is below.
    Other,
}

pub(super) fn walk(roots: &[Root], visit: &mut dyn FnMut(Entry)) -> Vec<Finding> {
    let mut left = vec![Folder { path: Vec::new(), roots: (0..roots.len()).rev().collect() }];
    let (mut findings, mut files) = (Vec::new(), 0usize);
    while let Some(folder) = left.pop() {
        for (name, seen) in list(roots, &folder, &mut findings) {
            match seen {
                Seen::Folder { roots, .. } => left.push(Folder { path: join(&folder.path, &name), roots }),
                Seen::File(entry) => {
                    files += 1;
                    visit(entry);
                }
                Seen::Other => {}
            }
        }
        if files > MOST_FILES {
            findings.push(unread("", format!("only the first {MOST_FILES} files were looked at")));
            break;
        }
    }
    findings
}

fn list(roots: &[Root], folder: &Folder, findings: &mut Vec<Finding>) -> BTreeMap<Vec<u8>, Seen> {
    let mut names: BTreeMap<Vec<u8>, Seen> = BTreeMap::new();
    for &at in &folder.roots {
        let Some(root) = roots.get(at) else { continue };
        let listed = root.list(&folder.path, &mut |name, sort| match names.get_mut(name) {
            Some(Seen::Folder { roots, open }) if *open => match sort {
                Sort::Folder => roots.push(at),
                _ => *open = false,
            },
            Some(_) => {}
            None => drop(names.insert(name.to_vec(), seen(&folder.path, name, at, sort))),
        });
        match listed {
            Ok(false) => {}
            Ok(true) => break,
            Err(error) => findings.push(failed(&String::from_utf8_lossy(&folder.path), &error.source)),
        }
    }
    names
}

fn seen(folder: &[u8], name: &[u8], root: usize, sort: Sort) -> Seen {
    match sort {
        Sort::Folder => Seen::Folder { roots: vec![root], open: true },
        // A path that is no text has a mark in its place: where a catalogue wants it, opening fails and is told.
        Sort::File { size, executable } => {
            Seen::File(Entry { path: String::from_utf8_lossy(&join(folder, name)).into_owned(), size, executable, root })
        }
        Sort::Whiteout | Sort::Other => Seen::Other,
    }
}

fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = folder.to_vec();
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}
