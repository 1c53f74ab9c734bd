//! What nobody needs any more, and what is not as it was written.

use crate::error::{BlobError, io_at};
use crate::locks::Lock;
use crate::store::{Store, remove_tree};
use oci::{DiffId, Digest, ImageConfig, ImageId};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// What is pruned beside layers that nothing names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PruneOptions {
    /// Images without a name.
    pub unnamed_images: bool,
    /// What the builder remembers, and the layers that only it names.
    pub cache: bool,
}

/// What was pruned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Images.
    pub images: Vec<ImageId>,
    /// Layers.
    pub layers: Vec<DiffId>,
    /// Layers that nothing names and a container or a build still uses.
    pub in_use: Vec<DiffId>,
    /// Bytes of files that are gone.
    pub bytes: u64,
}

/// Something damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub what: String,
    /// How.
    pub why: String,
}

impl Store {
    /// Keeps others from removing layers while something is made of them. Hold it for a whole build.
    ///
    /// # Errors
    /// When the lock cannot be taken.
    pub fn hold(&self) -> Result<impl Drop + Send + Sync + use<>, BlobError> {
        Ok(Hold { _lock: self.lock_shared()? })
    }

    /// Removes layers that no image (and no memory of the builder) names, and what the options say. Waits for running builds.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn prune(&self, options: PruneOptions) -> Result<Pruned, BlobError> {
        let _alone = self.lock_alone()?;
        let mut pruned = Pruned::default();
        if options.unnamed_images {
            let named: BTreeSet<_> = self.images().names()?.into_values().collect();
            for id in self.images().ids()?.into_iter().filter(|id| !named.contains(id)) {
                let path = self.root().join("images").join(format!("{}.json", id.0.hex()));
                fs::remove_file(&path).map_err(io_at("remove", &path))?;
                pruned.images.push(id);
            }
        }
        let mut needed = self.layers_of_images()?;
        self.prune_cache(options.cache, &mut needed)?;
        if options.cache {
            pruned.bytes += self.prune_mounts()?;
        }
        self.prune_manifests()?;
        for layer in self.layers().list()?.into_iter().filter(|layer| !needed.contains(layer)) {
            self.prune_layer(layer, &mut pruned)?;
        }
        Ok(pruned)
    }

    /// Reads everything and lists what is damaged.
    ///
    /// # Errors
    /// When the store cannot be listed.
    pub fn fsck(&self) -> Result<Vec<Fault>, BlobError> {
        let _hold = self.lock_shared()?;
        let mut faults = Vec::new();
        for layer in self.layers().list()? {
            if let Err(error) = self.layers().export(&layer, &mut std::io::sink()) {
                faults.push(Fault { what: format!("layer {layer}"), why: error.to_string() });
            }
        }
        for id in self.images().ids()? {
            let found = Digest::of(&self.images().config_bytes(&id)?);
            if found != id.0 {
                faults.push(Fault { what: format!("image {id}"), why: format!("its configuration has the digest {found}") });
            } else if let Err(error) = self.images().get(&id) {
                faults.push(Fault { what: format!("image {id}"), why: error.to_string() });
            }
        }
        Ok(faults)
    }

    fn layers_of_images(&self) -> Result<BTreeSet<DiffId>, BlobError> {
        let mut needed = BTreeSet::new();
        for id in self.images().ids()? {
            let bytes = self.images().config_bytes(&id)?;
            // A configuration that cannot be read might need any layer: nothing is removed then.
            let config = ImageConfig::parse(&bytes).map_err(|error| BlobError::json(format!("the configuration {id}"), error))?;
            needed.extend(config.rootfs.diff_ids);
        }
        Ok(needed)
    }

    fn prune_cache(&self, all: bool, needed: &mut BTreeSet<DiffId>) -> Result<(), BlobError> {
        for path in self.files("cache")? {
            if !all && path.extension().is_some_and(|extension| extension == "index") {
                continue;
            }
            let key = path.file_stem().and_then(|name| name.to_str()).and_then(|hex| Digest::from_hex(hex).ok());
            match key.and_then(|key| self.cache().get(&key)).filter(|_| !all) {
                Some(record) => needed.extend(record.layer),
                None => fs::remove_file(&path).map_err(io_at("remove", &path))?,
            }
        }
        Ok(())
    }

    /// Cache mounts; who uses one holds the store.
    fn prune_mounts(&self) -> Result<u64, BlobError> {
        let folder = self.root().join("mounts");
        let bytes = size(&folder);
        let gone = self.root().join("tmp").join(base::ids::suffix(12));
        match fs::rename(&folder, &gone) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(io_at("remove", &folder)(error).into()),
            Ok(()) => Ok(remove_tree(&gone).map(|()| bytes)?),
        }
    }

    fn prune_manifests(&self) -> Result<(), BlobError> {
        // Asked of all before any goes: an index leads through others.
        let mut gone = self.files("manifests")?;
        gone.retain(|path| {
            let digest = path.file_stem().and_then(|name| name.to_str()).and_then(|hex| Digest::from_hex(hex).ok());
            !digest.is_some_and(|digest| self.images().is_of_use(&digest))
        });
        for path in gone {
            fs::remove_file(&path).map_err(io_at("remove", &path))?;
        }
        Ok(())
    }

    fn prune_layer(&self, layer: DiffId, pruned: &mut Pruned) -> Result<(), BlobError> {
        let folder = self.layers().folder(&layer);
        if Lock::try_alone(&folder.join("lease"))?.is_none() {
            pruned.in_use.push(layer);
            return Ok(());
        }
        pruned.bytes += self.layers().meta(&layer).map_or(0, |meta| meta.content);
        // Renamed first: what is half removed is no layer any more.
        let gone = self.root().join("tmp").join(base::ids::suffix(12));
        fs::rename(&folder, &gone).map_err(io_at("remove", &folder))?;
        remove_tree(&gone)?;
        pruned.layers.push(layer);
        Ok(())
    }

    fn files(&self, folder: &str) -> Result<Vec<PathBuf>, BlobError> {
        let folder = self.root().join(folder);
        let entries = fs::read_dir(&folder).map_err(io_at("list", &folder))?;
        Ok(entries.filter_map(Result::ok).map(|entry| entry.path()).collect())
    }
}

/// Bytes of all files below a folder.
fn size(folder: &std::path::Path) -> u64 {
    let (mut bytes, mut open) = (0, vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => open.push(entry.path()),
                Ok(meta) => bytes += meta.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}

struct Hold {
    _lock: Lock,
}

impl Drop for Hold {
    fn drop(&mut self) {}
}
