//! What members may not do to each other.

use super::entry::{Entry, EntryPath, Kind};
use super::error::Fault;
use std::collections::HashMap;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    Folder,
    Other,
}

/// Watches a whole archive: no path twice (but folders), nothing below what is no folder, hard links only to earlier members.
///
/// With it, unpacking in order and reading the list of members come to the same files.
#[derive(Default)]
pub struct Guard {
    seen: HashMap<EntryPath, Seen>,
    last_parent: Option<EntryPath>,
}

impl Guard {
    /// With nothing seen.
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at the next member.
    ///
    /// # Errors
    /// What is wrong with it, given those before.
    pub fn check(&mut self, entry: &Entry) -> Result<(), Fault> {
        let Some((parent, _)) = entry.path.split() else {
            return if entry.kind == Kind::Folder { Ok(()) } else { Err(Fault::RootIsNoFolder) };
        };
        self.check_parents(parent)?;
        if let Kind::Hardlink { target } = &entry.kind
            && self.seen.get(target) != Some(&Seen::Other)
        {
            return Err(Fault::HardlinkTarget(target.to_string()));
        }
        let now = if entry.kind == Kind::Folder { Seen::Folder } else { Seen::Other };
        match self.seen.insert(entry.path.clone(), now) {
            Some(before) if before == Seen::Other || now == Seen::Other => Err(Fault::Duplicate),
            _ => Ok(()),
        }
    }

    fn check_parents(&mut self, parent: EntryPath) -> Result<(), Fault> {
        if self.last_parent.as_ref() == Some(&parent) {
            return Ok(());
        }
        let mut above = parent.clone();
        while let Some((next, _)) = above.split() {
            match self.seen.get(&above) {
                Some(Seen::Folder) => break,
                Some(Seen::Other) => return Err(Fault::ParentIsNoFolder(above.to_string())),
                None => self.seen.insert(above, Seen::Folder),
            };
            above = next;
        }
        self.last_parent = Some(parent);
        Ok(())
    }
}
