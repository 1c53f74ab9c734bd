//! What other machines remember of steps: `--cache-from`.

use super::cache::{Held, Memory};
use crate::sandbox::Sandbox;
use blobs::Store;
use blobs::remote::{Described, Remote};
use builder::Remembered;
use oci::{DiffId, Digest, Reference};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Where layers are, by what was read of it.
enum Source {
    Registry(Remote, Reference, Box<Described>),
    Folder(PathBuf, BTreeMap<DiffId, Digest>),
}

/// The memories of others, asked in order.
pub struct Memories {
    sandbox: Arc<Sandbox>,
    store: Store,
    known: Vec<(Memory, Source)>,
    troubles: Mutex<Vec<String>>,
}

impl Memories {
    /// None; it waits on the sandbox's threads.
    pub fn none(sandbox: &Arc<Sandbox>, store: &Store) -> Self {
        Self { sandbox: Arc::clone(sandbox), store: store.clone(), known: Vec::new(), troubles: Mutex::default() }
    }

    /// Reads a memory that a registry holds; of its layers none is fetched yet.
    ///
    /// # Errors
    /// Why there is none, in a sentence.
    pub fn add_registry(&mut self, remote: Remote, reference: &Reference) -> Result<(), String> {
        let described = self.sandbox.tokio().block_on(remote.describe(reference)).map_err(|error| error.to_string())?;
        let memory = Memory::of(&described.config)?;
        self.known.push((memory, Source::Registry(remote, reference.clone(), Box::new(described))));
        Ok(())
    }

    /// Reads a memory in a folder.
    ///
    /// # Errors
    /// Why there is none, in a sentence.
    pub fn add_folder(&mut self, folder: PathBuf) -> Result<(), String> {
        let Held { memory, layers } = Held::read(&folder)?;
        self.known.push((memory, Source::Folder(folder, layers)));
        Ok(())
    }

    /// What went wrong with what was remembered, once.
    pub fn troubles(&self) -> Vec<String> {
        self.troubles.lock().map(|mut troubles| std::mem::take(&mut *troubles)).unwrap_or_default()
    }

    fn bring(&self, source: &Source, layer: &DiffId) -> Result<(), String> {
        if self.store.layers().contains(layer) {
            return Ok(());
        }
        match source {
            Source::Registry(remote, reference, described) => {
                let brought = self.sandbox.tokio().block_on(remote.bring(&self.store, described, layer));
                brought.map_err(|error| format!("the cache `{reference}`: {error}"))
            }
            Source::Folder(folder, layers) => {
                let digest = layers.get(layer).ok_or_else(|| format!("the cache in `{}` has no layer {layer}", folder.display()))?;
                let path = Held::blob(folder, digest);
                let file = std::fs::File::open(&path).map_err(|error| format!("the cache's layer `{}`: {error}", path.display()))?;
                self.store.layers().import(file, &path.display().to_string(), Some(layer)).map(drop).map_err(|error| error.to_string())
            }
        }
    }
}

impl Remembered for Memories {
    fn recall(&self, key: &Digest) -> Option<Option<DiffId>> {
        for (memory, source) in &self.known {
            let Some(layer) = memory.steps.get(key) else { continue };
            match layer.as_ref().map_or(Ok(()), |layer| self.bring(source, layer)) {
                Ok(()) => return Some(*layer),
                // The step is done again; why, is told at the end.
                Err(trouble) => {
                    if let Ok(mut troubles) = self.troubles.lock()
                        && !troubles.contains(&trouble)
                    {
                        troubles.push(trouble);
                    }
                }
            }
        }
        None
    }
}
