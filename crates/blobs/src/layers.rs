//! Layers: made from archives or from what was written, leased as trees, exported again.

use crate::commit::{self, Stamp};
use crate::error::{BlobError, io_at};
use crate::export;
use crate::import;
use crate::locks::Lock;
use crate::meta::LayerMeta;
use crate::store::{Store, TempFolder, remove_tree};
use base::files::FileError;
use oci::tar::Limits;
use oci::{DiffId, Digest};
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The layers of a store.
#[derive(Clone, Copy, Debug)]
pub struct Layers<'a> {
    store: &'a Store,
}

/// A layer's tree, which nobody removes while the lease is held.
#[derive(Debug)]
pub struct TreeLease {
    path: PathBuf,
    _lock: Lock,
}

impl TreeLease {
    /// The tree: an overlay lower folder. It must not be written to.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl<'a> Layers<'a> {
    pub(crate) fn of(store: &'a Store) -> Self {
        Self { store }
    }

    /// Unpacks an archive, compressed with gzip or not. `what` names it in errors.
    ///
    /// # Errors
    /// When it is not a valid layer, when `expected` is another digest, or when it cannot be written.
    pub fn import(&self, input: impl Read, what: &str, expected: Option<&DiffId>) -> Result<DiffId, BlobError> {
        let temp = self.store.temp()?;
        let meta = import::unpack(input, what, temp.path(), Limits::default())?;
        if let Some(expected) = expected.filter(|expected| **expected != meta.diff_id) {
            return Err(BlobError::Digest { what: what.to_owned(), expected: expected.to_string(), found: meta.diff_id.to_string() });
        }
        self.install(&temp, &meta)
    }

    /// As [`Layers::import`] of something foreign: at most `limit_bytes` unpacked, and nothing is kept unless `input` comes to its end
    /// without an error, whatever of it the archive needs.
    pub(crate) fn receive(&self, mut input: impl Read, what: &str, expected: &DiffId, limit_bytes: u64) -> Result<(), BlobError> {
        let temp = self.store.temp()?;
        let meta = import::unpack(&mut input, what, temp.path(), Limits { bytes: limit_bytes, ..Limits::default() })?;
        std::io::copy(&mut input, &mut std::io::sink()).map_err(|error| FileError::new("read", what, error))?;
        if meta.diff_id != *expected {
            return Err(BlobError::Digest {
                what: format!("{what}, unpacked,"),
                expected: expected.to_string(),
                found: meta.diff_id.to_string(),
            });
        }
        self.install(&temp, &meta).map(drop)
    }

    /// Makes a layer of the folder `tree` in `temp`, which may be the upper folder of an overlay; it is moved into the store.
    ///
    /// # Errors
    /// When it holds what no layer can, or cannot be read or moved.
    pub fn commit(&self, temp: &TempFolder, stamp: Stamp) -> Result<DiffId, BlobError> {
        let meta = commit::commit(temp.path(), stamp)?;
        self.install(temp, &meta)
    }

    /// Whether a layer is here.
    pub fn contains(&self, id: &DiffId) -> bool {
        self.meta(id).is_ok()
    }

    /// A layer's record.
    ///
    /// # Errors
    /// When the layer is not here.
    pub fn meta(&self, id: &DiffId) -> Result<LayerMeta, BlobError> {
        let folder = self.folder(id);
        let bytes = base::files::read_if_exists(&folder.join("meta.json"))?.ok_or(BlobError::NoLayer(*id))?;
        let boot = base::files::read_if_exists(&folder.join("boot"))?;
        if boot.is_some_and(|boot| boot != self.store.boot().as_bytes()) {
            // Made, never made durable, and then the machine went down: nobody knows what of it is on the disk.
            return Err(BlobError::NoLayer(*id));
        }
        serde_json::from_slice(&bytes).map_err(|error| BlobError::json(format!("the record of layer {id}"), error))
    }

    /// A layer's tree.
    ///
    /// # Errors
    /// When the layer is not here.
    pub fn tree(&self, id: &DiffId) -> Result<TreeLease, BlobError> {
        let folder = self.folder(id);
        let lock = match Lock::shared(&folder.join("lease")) {
            Err(error) if error.source.kind() == std::io::ErrorKind::NotFound => return Err(BlobError::NoLayer(*id)),
            other => other?,
        };
        self.meta(id)?;
        Ok(TreeLease { path: folder.join("tree"), _lock: lock })
    }

    /// Writes a layer's archive, uncompressed.
    ///
    /// # Errors
    /// When the layer is not here, or is not what its digest says; bytes may have been written by then.
    pub fn export(&self, id: &DiffId, out: &mut dyn Write) -> Result<(), BlobError> {
        let _lease = self.tree(id)?;
        export::export(&self.folder(id), &self.meta(id)?, out)
    }

    /// The ids of all layers, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Vec<DiffId>, BlobError> {
        let folder = self.store.root().join("layers");
        let mut ids = Vec::new();
        for entry in fs::read_dir(&folder).map_err(io_at("list", &folder))? {
            let entry = entry.map_err(io_at("list", &folder))?;
            ids.extend(entry.file_name().to_str().and_then(|name| Digest::from_hex(name).ok()).map(DiffId));
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Makes layers durable: after this they survive a power cut.
    ///
    /// # Errors
    /// When the system cannot.
    pub fn settle(&self, ids: &[DiffId]) -> Result<(), BlobError> {
        let fresh: Vec<_> = ids.iter().map(|id| self.folder(id)).filter(|folder| folder.join("boot").exists()).collect();
        if fresh.is_empty() {
            return Ok(());
        }
        self.store.sync()?;
        for folder in &fresh {
            match fs::remove_file(folder.join("boot")) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(FileError::new("remove", folder.join("boot"), error).into());
                }
                _ => base::files::sync_folder(folder)?,
            }
        }
        Ok(())
    }

    pub(crate) fn folder(&self, id: &DiffId) -> PathBuf {
        self.store.root().join("layers").join(id.0.hex())
    }

    /// Moves what was made into its place; when another process was first, its work stands.
    fn install(&self, temp: &TempFolder, meta: &LayerMeta) -> Result<DiffId, BlobError> {
        let from = temp.path().join("layer");
        let place = self.folder(&meta.diff_id);
        let _making = self.store.lock_shared()?;
        base::files::make_folder(&from, 0o700)?;
        for name in ["tree", "recipe"] {
            fs::rename(temp.path().join(name), from.join(name)).map_err(io_at("move", &temp.path().join(name)))?;
        }
        write(&from.join("meta.json"), &serde_json::to_vec(meta).map_err(|error| BlobError::json("a layer's record", error))?)?;
        write(&from.join("boot"), self.store.boot().as_bytes())?;
        write(&from.join("lease"), b"")?;
        if place.exists() && !self.contains(&meta.diff_id) {
            remove_tree(&place)?;
        }
        match fs::rename(&from, &place) {
            Err(error) if !matches!(error.kind(), std::io::ErrorKind::DirectoryNotEmpty | std::io::ErrorKind::AlreadyExists) => {
                Err(FileError::new("move", place, error).into())
            }
            _ => Ok(meta.diff_id),
        }
    }
}

fn write(path: &Path, content: &[u8]) -> Result<(), FileError> {
    fs::write(path, content).map_err(io_at("write", path))
}
