//! What the builder remembers: small documents by key. Losing one costs time and nothing else, so they are not synced.

use crate::error::{BlobError, io_at};
use crate::store::Store;
use oci::{DiffId, Digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs;

/// The remembered outcome of one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The layer that the step made.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub layer: Option<DiffId>,
    /// What else the builder wants to know; opaque here.
    #[serde(default)]
    pub note: Value,
}

/// The remembered outcomes of a store.
#[derive(Clone, Copy, Debug)]
pub struct Cache<'a> {
    store: &'a Store,
}

impl<'a> Cache<'a> {
    pub(crate) fn of(store: &'a Store) -> Self {
        Self { store }
    }

    /// What is remembered under a key, with its layer still here. Whatever is wrong with a record, it is as if it were not there.
    pub fn get(&self, key: &Digest) -> Option<Record> {
        let record: Record = serde_json::from_slice(&fs::read(self.path(key)).ok()?).ok()?;
        record.layer.is_none_or(|layer| self.store.layers().contains(&layer)).then_some(record)
    }

    /// Remembers an outcome.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn put(&self, key: &Digest, record: &Record) -> Result<(), BlobError> {
        let path = self.path(key);
        let beside = path.with_extension(base::ids::suffix(8));
        let bytes = serde_json::to_vec(record).map_err(|error| BlobError::json("a cache record", error))?;
        fs::write(&beside, bytes).map_err(io_at("write", &beside))?;
        Ok(fs::rename(&beside, &path).map_err(io_at("write", &path))?)
    }

    fn path(&self, key: &Digest) -> std::path::PathBuf {
        self.store.root().join("cache").join(format!("{}.json", key.hex()))
    }
}
