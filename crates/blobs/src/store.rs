//! The store's folders, its locks, and what is unfinished.

use crate::cache::Cache;
use crate::error::{BlobError, at, io_at};
use crate::images::Images;
use crate::layers::Layers;
use crate::locks::Lock;
use base::files::{FileError, make_folder};
use std::fs;
use std::path::{Path, PathBuf};

/// The content store below one folder; cheap to open, safe to share between processes.
///
/// ```text
/// lock               held shared while something is made, alone while something is removed
/// tmp/NAME           what is being made; NAME.lock is held meanwhile
/// layers/HEX         tree, recipe, meta.json; `boot` while not known to be on the disk
/// images/HEX.json    configurations by image id
/// manifests/HEX.json manifests by digest
/// refs/NAME.json     references, percent-encoded
/// cache/HEX.json     what the builder remembers
/// mounts/HEX/N       cache mounts of the builder's steps
/// ```
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    boot: String,
}

const FOLDERS: [&str; 6] = ["tmp", "layers", "images", "manifests", "refs", "cache"];

impl Store {
    /// Opens the store in `root`, making its folders where they are missing, and removes what crashed processes left unfinished.
    ///
    /// # Errors
    /// When folders cannot be made or read.
    pub fn open(root: &Path) -> Result<Self, BlobError> {
        make_folder(root, 0o700)?;
        let root = fs::canonicalize(root).map_err(io_at("open", root))?;
        for folder in FOLDERS {
            let path = root.join(folder);
            if !path.is_dir() {
                make_folder(&path, 0o700)?;
            }
        }
        let boot = base::files::read(Path::new("/proc/sys/kernel/random/boot_id"))?;
        let store = Self { root, boot: String::from_utf8_lossy(&boot).trim().to_owned() };
        store.sweep()?;
        Ok(store)
    }

    /// The layers.
    pub fn layers(&self) -> Layers<'_> {
        Layers::of(self)
    }

    /// The images.
    pub fn images(&self) -> Images<'_> {
        Images::of(self)
    }

    /// What the builder remembers.
    pub fn cache(&self) -> Cache<'_> {
        Cache::of(self)
    }

    /// The folder that all is in.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A new empty folder on the store's file system, removed when the value goes.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn temp(&self) -> Result<TempFolder, BlobError> {
        let _making = self.lock_shared()?;
        let path = self.root.join("tmp").join(base::ids::suffix(12));
        let lock = Lock::alone(&path.with_extension("lock"))?;
        make_folder(&path, 0o700)?;
        Ok(TempFolder { path, _lock: lock })
    }

    pub(crate) fn boot(&self) -> &str {
        &self.boot
    }

    pub(crate) fn lock_shared(&self) -> Result<Lock, FileError> {
        Lock::shared(&self.root.join("lock"))
    }

    pub(crate) fn lock_alone(&self) -> Result<Lock, FileError> {
        Lock::alone(&self.root.join("lock"))
    }

    /// Makes all that was written so far durable.
    pub(crate) fn sync(&self) -> Result<(), FileError> {
        let folder = fs::File::open(&self.root).map_err(io_at("open", &self.root))?;
        rustix::fs::syncfs(&folder).map_err(at("sync", &self.root))
    }

    fn sweep(&self) -> Result<(), BlobError> {
        let folder = self.root.join("tmp");
        let names: Vec<_> =
            fs::read_dir(&folder).map_err(io_at("list", &folder))?.filter_map(Result::ok).map(|entry| entry.path()).collect();
        if names.is_empty() {
            return Ok(());
        }
        // Somebody at work will have others after them who sweep.
        let Some(_alone) = Lock::try_alone(&self.root.join("lock"))? else { return Ok(()) };
        for path in names.iter().filter(|path| path.extension().is_none()) {
            if Lock::try_alone(&path.with_extension("lock"))?.is_some() {
                remove_tree(path)?;
                let _ = fs::remove_file(path.with_extension("lock"));
            }
        }
        // Killed before the folder was made, or after it was removed.
        for lock in names.iter().filter(|path| path.extension().is_some_and(|extension| extension == "lock")) {
            if !lock.with_extension("").exists() {
                let _ = fs::remove_file(lock);
            }
        }
        Ok(())
    }
}

/// A folder for what is being made; removed with all in it when dropped.
#[derive(Debug)]
pub struct TempFolder {
    path: PathBuf,
    _lock: Lock,
}

impl TempFolder {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        let _ = remove_tree(&self.path);
        let _ = fs::remove_file(self.path.with_extension("lock"));
    }
}

/// Removes a folder with all in it; fine when it is not there.
pub(crate) fn remove_tree(path: &Path) -> Result<(), FileError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(FileError::new("remove", path, error)),
        _ => Ok(()),
    }
}
