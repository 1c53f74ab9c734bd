//! Which packages of languages a distribution installed: their files stand in its package manager's lists, and its vendor answers for them.

use crate::catalogues::apk;
use crate::package::Package;
use crate::read::{Found, LARGEST_BYTES};
use crate::tree::{Entry, Tree, failed};
use std::collections::HashMap;

const APK: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];

/// Whether a file lists what a distribution installed.
pub(crate) fn wants(entry: &Entry) -> bool {
    entry.path.strip_prefix("var/lib/dpkg/info/").is_some_and(|name| name.ends_with(".list") && !name.contains('/'))
        || APK.contains(&entry.path.as_str())
}

/// Marks the packages whose files such a list has.
///
/// A file that a later layer wrote anew, as pip does when it upgrades what Debian installed, is no longer the distribution's.
pub(crate) fn mark(tree: &Tree, lists: &[Entry], found: &mut Found) {
    let heights: HashMap<&str, usize> = tree.heights();
    let mut candidates: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, package) in found.packages.iter().enumerate().filter(|(_, package)| !package.ecosystem.is_distribution()) {
        candidates.entry(package.file.clone()).or_default().push(at);
    }
    if candidates.is_empty() {
        return;
    }
    let height = |package: &Package| package.layer.as_deref().and_then(|layer| heights.get(layer)).copied().unwrap_or_default();
    for list in lists {
        let bytes = match tree.read(list, LARGEST_BYTES) {
            Ok(bytes) => bytes,
            Err(error) => {
                found.unread.push(failed(&list.path, &error.source));
                continue;
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        let own = |path: &str| {
            for at in candidates.get(path).into_iter().flatten() {
                if let Some(package) = found.packages.get_mut(*at).filter(|package| height(package) <= Tree::height(list)) {
                    package.owned = true;
                }
            }
        };
        if APK.contains(&list.path.as_str()) { apk::files(&text, own) } else { dpkg_files(&text, own) }
    }
}

/// The files of dpkg's `info/*.list`, and where those of a merged `/usr` really are.
fn dpkg_files(text: &str, mut visit: impl FnMut(&str)) {
    for path in text.lines().filter_map(|line| line.strip_prefix('/')) {
        visit(path);
        if ["lib", "bin", "sbin"].iter().any(|folder| path.starts_with(folder)) {
            visit(&format!("usr/{path}"));
        }
    }
}
