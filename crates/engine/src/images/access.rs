//! Who brought an image in, so that nobody else uses it unasked. Source: Kubernetes KEP-2535 ("ensure secret pulled images"), with its
//! default `NeverVerifyPreloadedImages`.
//!
//! An image that a pod's pull brought may be used without asking the registry again by pods that hold a credential with which it was
//! brought; by all, when it came without any. What was built, loaded or pulled by hand on this machine is its owner's gift to every pod.
//! Under `Always` the registry is asked anyway, and this is not looked at.

use base::files;
use blobs::{BlobError, Store};
use oci::{Digest, ImageId, Reference};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// The records of a home. They stay when the engine is reset, as the images do.
pub(super) struct Access {
    folder: PathBuf,
    writing: Mutex<()>,
}

/// What is known of one image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// By repository: an image may come by several.
    names: BTreeMap<String, Name>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Name {
    /// By which it went there last.
    digest: Digest,
    /// Whether it was had by nobody in particular.
    open: bool,
    /// Of credentials with which it was had.
    prints: BTreeSet<String>,
}

/// Credentials remembered for one image and repository; the oldest knowledge is worth a question.
const MOST_PRINTS: usize = 256;
const MOST_BYTES: usize = 1 << 20;

impl Record {
    /// Whether somebody with one of these prints may use it by this name.
    pub(super) fn admits<'a>(&self, reference: &Reference, mut prints: impl Iterator<Item = &'a str>) -> bool {
        self.names.get(&reference.name()).is_some_and(|name| name.open || prints.any(|print| name.prints.contains(print)))
    }

    /// Whether it ever came by this name.
    pub(super) fn knows(&self, reference: &Reference) -> bool {
        self.names.contains_key(&reference.name())
    }

    /// `REPOSITORY@sha256:...` by which it went at its registry.
    pub(super) fn reference(&self, wanted: &Reference) -> Option<String> {
        let own = self.names.get_key_value(&wanted.name()).or_else(|| self.names.first_key_value());
        own.map(|(name, known)| format!("{name}@{}", known.digest))
    }
}

impl Access {
    pub(super) fn new(folder: PathBuf, store: &Store) -> Self {
        let access = Self { folder, writing: Mutex::default() };
        access.forget_removed(store);
        access
    }

    fn path(&self, image: &ImageId) -> PathBuf {
        self.folder.join(format!("{}.json", image.0.hex()))
    }

    /// What is known of an image; `None` of one that no pod's pull brought. What cannot be read admits nobody.
    pub(super) fn of(&self, image: &ImageId) -> Option<Record> {
        let path = self.path(image);
        if !path.exists() {
            return None;
        }
        Some(files::read_up_to(&path, MOST_BYTES).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }

    /// Remembers that somebody had an image by a name.
    pub(super) fn note(&self, image: &ImageId, reference: &Reference, digest: Digest, print: Option<&str>) -> Result<(), BlobError> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.of(image);
        let mut record = before.clone().unwrap_or_default();
        let name = record.names.entry(reference.name()).or_insert_with(|| Name { digest, open: false, prints: BTreeSet::new() });
        name.digest = digest;
        name.open |= print.is_none();
        if name.prints.len() >= MOST_PRINTS {
            name.prints.clear();
        }
        name.prints.extend(print.map(str::to_owned));
        if before.as_ref() == Some(&record) {
            return Ok(());
        }
        files::make_folder(&self.folder, 0o700)?;
        let bytes = serde_json::to_vec(&record).map_err(|error| BlobError::Name(error.to_string()))?;
        Ok(files::write_atomically(&self.path(image), &bytes, 0o600)?)
    }

    /// Whoever brings a removed image back need not have had it from us. Only while nothing is pulled: a record is there before its image.
    fn forget_removed(&self, store: &Store) {
        let Ok(there) = store.images().ids() else { return };
        let there: BTreeSet<String> = there.iter().map(|id| format!("{}.json", id.0.hex())).collect();
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.ends_with(".json") && !there.contains(name)) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}
