//! What is in a target: every catalogue over every file that it wants.

use crate::catalogues::{CATALOGUES, Catalogue, Scope};
use crate::os;
use crate::ownership;
use crate::package::{Inventory, Target};
use crate::read::{Found, Reading};
use crate::tree::{Entry, Tree};

/// What a walk met that somebody wants.
#[derive(Default)]
struct Wanted {
    files: Vec<(&'static Catalogue, Entry)>,
    releases: Vec<Entry>,
    owners: Vec<Entry>,
}

/// Everything that the catalogues find in a tree. What cannot be read is told in `unread`.
pub fn inventory(tree: &Tree, target: Target) -> Inventory {
    let mut wanted = Wanted::default();
    let mut found = Found { unread: tree.walk(&mut |entry| sort(tree, entry, &mut wanted)), ..Found::default() };
    let os = os::read(tree, &wanted.releases, &mut found.unread);
    wanted.files.sort_by(|a, b| a.1.path.cmp(&b.1.path));
    for (catalogue, entry) in &wanted.files {
        (catalogue.read)(&mut Reading { entry, tree, os: os.as_ref(), found: &mut found });
    }
    ownership::mark(tree, &wanted.owners, &mut found);
    found.packages.sort();
    found.packages.dedup();
    found.unread.sort_by(|a, b| (&a.place, &a.message).cmp(&(&b.place, &b.message)));
    found.unread.dedup();
    Inventory { target, os, packages: found.packages, unread: found.unread }
}

fn sort(tree: &Tree, entry: Entry, wanted: &mut Wanted) {
    let scope = if tree.is_image() { Scope::Installed } else { Scope::Sources };
    for catalogue in CATALOGUES.iter().filter(|catalogue| catalogue.scope == scope || tree.is_file()) {
        if (catalogue.wants)(&entry) {
            wanted.files.push((catalogue, entry.clone()));
        }
    }
    if tree.is_image() && os::PLACES.contains(&entry.path.as_str()) {
        wanted.releases.push(entry);
    } else if tree.is_image() && ownership::wants(&entry) {
        wanted.owners.push(entry);
    }
}
