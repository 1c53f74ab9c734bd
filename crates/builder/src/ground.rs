//! What `COPY --link` and `ADD --link` stand on: the folders that lead to the destination, and nothing else of the layers below. On another
//! base with the same folders the same layer comes out, and is not made again.

use crate::error::Trouble;
use blobs::View;
use oci::tar::EntryPath;
use oci::{Digest, Hasher};
use rustix::fs::FileType;
use std::collections::BTreeMap;

/// How a folder is below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Floor {
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// The folders on the way to a destination, as far as they are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ground {
    folders: BTreeMap<EntryPath, Floor>,
}

impl Ground {
    /// Below a destination, an absolute path without `.` and `..`.
    pub(crate) fn find(view: &View, destination: &str) -> Result<Self, Trouble> {
        let mut ground = Self::default();
        let mut path = EntryPath::default();
        for name in destination.split('/').filter(|name| !name.is_empty()) {
            path = path.join(name.as_bytes()).map_err(|fault| Trouble::new(fault.to_string()))?;
            let Some(node) = view.node(&path)? else { break };
            match node.file_type() {
                FileType::Directory => {
                    let floor = Floor {
                        mode: node.stat.st_mode & 0o7777,
                        uid: node.stat.st_uid,
                        gid: node.stat.st_gid,
                        xattrs: view.xattrs(&path, &node)?,
                    };
                    ground.folders.insert(path.clone(), floor);
                }
                FileType::Symlink => {
                    let to = view.resolve(path.as_bytes())?;
                    let trouble = Trouble::new(format!("the destination leads through a link to `/{to}`, which --link does not follow"));
                    return Err(trouble.hint("leave --link out, or write where the link leads"));
                }
                // It is replaced, if it is the destination itself.
                _ => break,
            }
        }
        Ok(ground)
    }

    /// How a folder is below, if it is there.
    pub(crate) fn floor(&self, path: &EntryPath) -> Option<&Floor> {
        self.folders.get(path)
    }

    /// What stands in the place of the layers below in a step's key.
    pub(crate) fn digest(&self) -> Digest {
        let mut hasher = Hasher::new();
        hasher.part(b"ground");
        for (path, floor) in &self.folders {
            hasher.part(path.as_bytes());
            [floor.mode, floor.uid, floor.gid].iter().for_each(|number| hasher.part(&number.to_le_bytes()));
            hasher.part(&(floor.xattrs.len() as u64).to_le_bytes());
            for (name, value) in &floor.xattrs {
                hasher.part(name.as_bytes());
                hasher.part(value);
            }
        }
        hasher.finish()
    }
}
