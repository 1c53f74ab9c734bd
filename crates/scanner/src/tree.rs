//! A tree of files to look for packages in: an image's layers seen as one, a folder of sources, or one file.
//!
//! No link is ever followed, neither in a name nor at its end, so that nothing outside is read.

mod archive;
mod content;
mod layers;
mod root;
mod saved;
mod sources;

use base::files::FileError;
use base::{Finding, Place, Severity};
use blobs::{BlobError, Image, Store, TreeLease};
pub use content::Content;
use root::Root;
pub use saved::{Saved, SavedError};
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// More files than this are not looked at.
const MOST_FILES: usize = 5_000_000;

/// A file of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path, without a leading slash.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Whether somebody may execute it.
    pub executable: bool,
    root: usize,
}

impl Entry {
    /// A file of which only the path is known.
    pub(crate) fn named(path: &str) -> Self {
        Self { path: path.to_owned(), size: 0, executable: false, root: 0 }
    }

    /// Its own name.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The path of its folder; empty for the root.
    pub fn folder(&self) -> &str {
        self.path.rsplit_once('/').map(|(folder, _)| folder).unwrap_or_default()
    }
}

/// A tree of files.
#[derive(Debug)]
pub struct Tree {
    /// The lowest first.
    roots: Vec<Root>,
    shape: Shape,
    /// Held so that nobody removes the layers meanwhile.
    _leases: Vec<TreeLease>,
}

#[derive(Debug)]
enum Shape {
    Layers,
    Sources(PathBuf),
    File(String),
}

impl Tree {
    /// An image of a store.
    ///
    /// # Errors
    /// When a layer is not there.
    pub fn of_image(store: &Store, image: &Image) -> Result<Self, BlobError> {
        let leases = image.layers.iter().map(|layer| store.layers().tree(layer)).collect::<Result<Vec<_>, _>>()?;
        let named: Vec<_> = image.layers.iter().map(ToString::to_string).zip(leases.iter().map(|lease| lease.path().to_owned())).collect();
        Ok(Self { _leases: leases, ..Self::of_layers(&named)? })
    }

    /// Layers by DiffID and folder, the lowest first.
    ///
    /// # Errors
    /// When a folder cannot be opened.
    pub fn of_layers(layers: &[(String, PathBuf)]) -> Result<Self, FileError> {
        let roots = layers.iter().map(|(id, path)| Root::open(path, Some(id.clone()))).collect::<Result<_, _>>()?;
        Ok(Self { roots, shape: Shape::Layers, _leases: Vec::new() })
    }

    /// A folder of sources: what git ignores, and what package managers and compilers made, is left out.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn of_folder(path: &Path) -> Result<Self, FileError> {
        Ok(Self { roots: vec![Root::open(path, None)?], shape: Shape::Sources(path.to_owned()), _leases: Vec::new() })
    }

    /// One file.
    ///
    /// # Errors
    /// When its folder cannot be opened, or its name is no text.
    pub fn of_file(path: &Path) -> Result<Self, FileError> {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| FileError::new("open", path, std::io::ErrorKind::InvalidFilename.into()))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Ok(Self { roots: vec![Root::open(folder, None)?], shape: Shape::File(name.to_owned()), _leases: Vec::new() })
    }

    /// Whether it is an image, in which what is installed counts and not what a lock file wishes.
    pub(crate) fn is_image(&self) -> bool {
        matches!(self.shape, Shape::Layers)
    }

    /// Whether it is a single file, which every catalogue may look at.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.shape, Shape::File(_))
    }

    /// Visits every regular file, and says what could not be looked at.
    pub fn walk(&self, visit: &mut dyn FnMut(Entry)) -> Vec<Finding> {
        match &self.shape {
            Shape::Layers => layers::walk(&self.roots, visit),
            Shape::Sources(path) => sources::walk(path, self.roots.first(), visit),
            Shape::File(name) => {
                let Some(root) = self.roots.first() else { return Vec::new() };
                match root.stat_file(name.as_bytes()) {
                    Ok(Some((size, executable))) => visit(Entry { path: name.clone(), size, executable, root: 0 }),
                    Ok(None) => return vec![unread(name, "it is no file")],
                    Err(error) => return vec![failed(name, &error.source)],
                }
                Vec::new()
            }
        }
    }

    /// The layer that has an entry, by DiffID; none outside images.
    pub fn layer(&self, entry: &Entry) -> Option<&str> {
        self.roots.get(entry.root)?.layer.as_deref()
    }

    /// An entry's content.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(&self, entry: &Entry) -> Result<Content, FileError> {
        let root = self.roots.get(entry.root);
        root.ok_or_else(|| FileError::new("open", &entry.path, std::io::ErrorKind::NotFound.into()))?.open_file(entry.path.as_bytes())
    }

    /// An entry's whole content of at most `limit` bytes.
    ///
    /// # Errors
    /// When it cannot be read or is larger.
    pub fn read(&self, entry: &Entry, limit: u64) -> Result<Vec<u8>, FileError> {
        read_all(self.open(entry)?, &entry.path, limit)
    }

    /// Visits what each layer has at an entry's path, from the lowest up to the entry's own, hidden or not, with the layer's DiffID.
    ///
    /// # Errors
    /// When one cannot be read or is larger than `limit`.
    pub fn versions(&self, entry: &Entry, limit: u64, visit: &mut dyn FnMut(Option<&str>, Vec<u8>)) -> Result<(), FileError> {
        let path = entry.path.as_bytes();
        for root in self.roots.iter().take(entry.root.saturating_add(1)) {
            if root.stat_file(path)?.is_some() {
                visit(root.layer.as_deref(), read_all(root.open_file(path)?, &entry.path, limit)?);
            }
        }
        Ok(())
    }

    /// The file at a path, as a folder of sources or the topmost layer that has it shows it.
    pub(crate) fn entry(&self, path: &str) -> Option<Entry> {
        let found = self.roots.iter().enumerate().rev().find_map(|(at, root)| Some((at, root.stat_file(path.as_bytes()).ok()??)));
        found.map(|(root, (size, executable))| Entry { path: path.to_owned(), size, executable, root })
    }

    /// Where each layer stands, from the bottom; the highest place of one that is there twice.
    pub(crate) fn heights(&self) -> HashMap<&str, usize> {
        self.roots.iter().enumerate().filter_map(|(at, root)| Some((root.layer.as_deref()?, at))).collect()
    }

    /// Where an entry's layer stands, from the bottom.
    pub(crate) fn height(entry: &Entry) -> usize {
        entry.root
    }
}

fn read_all(file: Content, path: &str, limit: u64) -> Result<Vec<u8>, FileError> {
    let mut content = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut content).map_err(|error| FileError::new("read", path, error))?;
    if content.len() as u64 > limit {
        let error = std::io::Error::new(std::io::ErrorKind::FileTooLarge, format!("it is larger than {limit} bytes"));
        return Err(FileError::new("read", path, error));
    }
    Ok(content)
}

/// The rule of findings about errors of reading, which may pass; other files that could not be read will be like that again.
pub(crate) const READ_FAILED: &str = "read-failed";

/// What could not be looked at because reading it failed.
pub(crate) fn failed(path: &str, error: &std::io::Error) -> Finding {
    use std::io::ErrorKind::{FileTooLarge, InvalidData, InvalidFilename, NotFound};
    let finding = unread(path, error.to_string());
    if matches!(error.kind(), FileTooLarge | InvalidData | InvalidFilename | NotFound) {
        return finding;
    }
    Finding { rule: READ_FAILED.to_owned(), ..finding }
}

/// What could not be looked at.
pub(crate) fn unread(path: &str, why: impl Into<String>) -> Finding {
    Finding::new("unread", Severity::Warning, Place { file: Some(path.to_owned()), ..Place::default() }, why)
}
