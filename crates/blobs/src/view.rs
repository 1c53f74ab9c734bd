//! What a container sees of several layers, without mounting them: the rules of the overlay file system over unpacked trees.

use crate::tree::{Folder, is_whiteout};
use base::files::FileError;
use oci::tar::EntryPath;
use rustix::fs::{FileType, Stat};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;

/// Linux follows at most 40 links in one path.
const MAX_LINKS: usize = 40;

/// Layer trees seen as one.
#[derive(Debug)]
pub struct View {
    trees: Vec<Folder>,
}

/// Something in a view.
#[derive(Clone, Debug)]
pub struct Node {
    /// The trees that it is in, the topmost first: one, but for folders.
    trees: Vec<usize>,
    /// What it is, as the topmost tree has it.
    pub stat: Stat,
}

impl Node {
    /// Its type.
    pub fn file_type(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }

    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.file_type() == FileType::Directory
    }
}

impl View {
    /// Of trees, the topmost first.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub fn open(trees: &[PathBuf]) -> Result<Self, FileError> {
        Ok(Self { trees: trees.iter().map(|tree| Folder::open(tree)).collect::<Result<_, _>>()? })
    }

    /// What is at a path, links not followed; `None` when nothing is, also below a link.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn node(&self, path: &EntryPath) -> Result<Option<Node>, FileError> {
        let mut active: Vec<usize> = (0..self.trees.len()).collect();
        let mut here = EntryPath::default();
        let Some(mut node) = self.level(&here, &active)? else { return Ok(None) };
        for part in path.as_bytes().split(|&b| b == b'/').filter(|part| !part.is_empty()) {
            if !node.is_folder() {
                return Ok(None);
            }
            active = node.trees;
            here = match here.join(part) {
                Ok(here) => here,
                Err(_) => return Ok(None),
            };
            match self.level(&here, &active)? {
                Some(next) => node = next,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    /// The names in a folder, sorted; empty when it is none.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn list(&self, path: &EntryPath) -> Result<Vec<Vec<u8>>, FileError> {
        let Some(node) = self.node(path)?.filter(Node::is_folder) else { return Ok(Vec::new()) };
        let (mut names, mut hidden) = (BTreeSet::new(), BTreeSet::new());
        for folder in node.trees.iter().filter_map(|&tree| self.trees.get(tree)) {
            for name in folder.list(path)? {
                if names.contains(&name) || hidden.contains(&name) {
                    continue;
                }
                let stat = path.join(&name).ok().map(|path| folder.stat(&path)).transpose()?.flatten();
                match stat {
                    Some(stat) if is_whiteout(&stat) => drop(hidden.insert(name)),
                    Some(_) => drop(names.insert(name)),
                    None => {}
                }
            }
        }
        Ok(names.into_iter().collect())
    }

    /// A file's content.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn open_file(&self, path: &EntryPath, node: &Node) -> Result<File, FileError> {
        self.folder_of(node).open_file(path)
    }

    /// Where a symbolic link points.
    ///
    /// # Errors
    /// When it is none.
    pub fn read_link(&self, path: &EntryPath, node: &Node) -> Result<Vec<u8>, FileError> {
        self.folder_of(node).read_link(path)
    }

    /// The extended attributes that a layer keeps.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn xattrs(&self, path: &EntryPath, node: &Node) -> Result<std::collections::BTreeMap<String, Vec<u8>>, FileError> {
        let mut all = self.folder_of(node).xattrs(path)?;
        all.retain(|name, _| crate::tree::is_kept(name));
        Ok(all)
    }

    /// Where a path leads when all links in it are followed, none of them out of the root; parts that are not there stay as they are.
    ///
    /// # Errors
    /// When the system refuses, or links go round.
    pub fn resolve(&self, path: &[u8]) -> Result<EntryPath, FileError> {
        resolve_with(path, |path| match self.node(path)? {
            Some(node) if node.file_type() == FileType::Symlink => self.read_link(path, &node).map(Some),
            _ => Ok(None),
        })
    }

    /// A whole small file, its path resolved; `None` when it is not there.
    ///
    /// # Errors
    /// When it cannot be read, or has more than `limit` bytes.
    pub fn read(&self, path: &[u8], limit: u64) -> Result<Option<Vec<u8>>, FileError> {
        use std::io::Read;
        let path = self.resolve(path)?;
        let Some(node) = self.node(&path)?.filter(|node| node.file_type() == FileType::RegularFile) else { return Ok(None) };
        let mut content = Vec::new();
        let file = self.open_file(&path, &node)?;
        file.take(limit + 1)
            .read_to_end(&mut content)
            .map_err(|error| FileError::new("read", self.folder_of(&node).shown(&path), error))?;
        if content.len() as u64 > limit {
            return Err(FileError::new("read", self.folder_of(&node).shown(&path), std::io::ErrorKind::FileTooLarge.into()));
        }
        Ok(Some(content))
    }

    fn folder_of(&self, node: &Node) -> &Folder {
        node.trees.first().and_then(|&tree| self.trees.get(tree)).expect("a node is found in one of the view's own trees")
    }

    /// One name, given the trees that have its folder.
    fn level(&self, path: &EntryPath, active: &[usize]) -> Result<Option<Node>, FileError> {
        let mut found: Option<Node> = None;
        for &tree in active {
            let Some(folder) = self.trees.get(tree) else { continue };
            let Some(stat) = folder.stat(path)? else { continue };
            if is_whiteout(&stat) {
                break;
            }
            let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            match &mut found {
                Some(node) if is_folder => node.trees.push(tree),
                Some(_) => break,
                None => found = Some(Node { trees: vec![tree], stat }),
            }
            if !is_folder || folder.is_opaque(path)? {
                break;
            }
        }
        Ok(found)
    }
}

/// As [`View::resolve`], with the links told by `link`.
///
/// # Errors
/// When `link` fails, or links go round.
pub fn resolve_with(path: &[u8], mut link: impl FnMut(&EntryPath) -> Result<Option<Vec<u8>>, FileError>) -> Result<EntryPath, FileError> {
    let shown = || String::from_utf8_lossy(path).into_owned();
    let split = |path: &[u8]| path.split(|&b| b == b'/').map(<[u8]>::to_vec).rev().collect::<Vec<_>>();
    let mut rest = split(path);
    let (mut here, mut links) = (EntryPath::default(), 0);
    while let Some(part) = rest.pop() {
        match part.as_slice() {
            b"" | b"." => continue,
            b".." => {
                here = here.split().map(|(folder, _)| folder).unwrap_or_default();
                continue;
            }
            name => {
                let next = here.join(name).map_err(|_| FileError::new("resolve", shown(), std::io::ErrorKind::InvalidFilename.into()))?;
                let Some(target) = link(&next)? else {
                    here = next;
                    continue;
                };
                links += 1;
                if links > MAX_LINKS {
                    return Err(FileError::new("resolve", shown(), rustix::io::Errno::LOOP.into()));
                }
                if target.first() == Some(&b'/') {
                    here = EntryPath::default();
                }
                rest.extend(split(&target));
            }
        }
    }
    Ok(here)
}
