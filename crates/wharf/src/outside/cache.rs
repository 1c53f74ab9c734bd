//! What a build remembers, for other machines: an image whose layers are what its steps made, and whose configuration says which step
//! made which; in a registry, or as an OCI layout in a folder.
//!
//! ```text
//! config.json    ..., "rootfs": {"diff_ids": [the layers]}, "wharf.cache": {"version": 1, "steps": {"KEY": "LAYER" or null}}
//! ```

use base::files::{FileError, write_atomically};
use blobs::{BlobError, Compression, Image, Store};
use oci::manifest::{Descriptor, Index, Manifest, media, parse_bounded};
use oci::{DiffId, Digest, ImageConfig};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Where in a configuration.
const FIELD: &str = "wharf.cache";
const VERSION: u32 = 1;
/// More steps than anybody has; of what others wrote.
const MAX_STEPS: usize = 100_000;

/// What came out of steps, by their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Nothing where a step made no layer.
    pub steps: BTreeMap<Digest, Option<DiffId>>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    steps: BTreeMap<String, Option<DiffId>>,
}

impl Memory {
    /// Of all steps of a build, or of those whose layers are in its image.
    pub fn of_build(keys: &BTreeMap<Digest, Option<DiffId>>, only: Option<&BTreeSet<DiffId>>) -> Self {
        let kept = |layer: &Option<DiffId>| layer.is_none_or(|layer| only.is_none_or(|only| only.contains(&layer)));
        Self { steps: keys.iter().filter(|(_, layer)| kept(layer)).map(|(key, layer)| (*key, *layer)).collect() }
    }

    /// Reads a configuration.
    ///
    /// # Errors
    /// When it is none of a memory, or of one that is not understood.
    pub fn of(config: &ImageConfig) -> Result<Self, String> {
        let value = config.extra.get(FIELD).cloned().ok_or("it is an image, and no cache of builds")?;
        let written: Written = serde_json::from_value(value).map_err(|error| format!("its list of steps: {error}"))?;
        if written.version != VERSION || written.steps.len() > MAX_STEPS {
            return Err(format!("its list of steps has the version {}, and {VERSION} is understood", written.version));
        }
        let key = |(key, layer): (String, Option<DiffId>)| Digest::from_hex(&key).ok().map(|key| (key, layer));
        Ok(Self { steps: written.steps.into_iter().filter_map(key).collect() })
    }

    /// As an image of the store, which has all of its layers; it has no name.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, store: &Store) -> Result<Image, BlobError> {
        let layers: BTreeSet<DiffId> = self.steps.values().flatten().copied().filter(|layer| store.layers().contains(layer)).collect();
        let own = |(key, layer): (&Digest, &Option<DiffId>)| layer.is_none_or(|layer| layers.contains(&layer)).then(|| (key.hex(), *layer));
        let written = Written { version: VERSION, steps: self.steps.iter().filter_map(own).collect() };
        let machine = blobs::remote::host_platform();
        let mut config = ImageConfig { architecture: machine.architecture, os: machine.os, ..ImageConfig::default() };
        config.rootfs.diff_ids = layers.into_iter().collect();
        let value = serde_json::to_value(written).map_err(|error| BlobError::Unsupported(format!("the list of steps: {error}")))?;
        config.extra.insert(FIELD.to_owned(), value);
        store.images().put(&config)
    }
}

/// A memory in a folder, and where its layers are.
#[derive(Debug)]
pub struct Held {
    /// What it knows.
    pub memory: Memory,
    /// Packed layers by what they hold.
    pub layers: BTreeMap<DiffId, Digest>,
}

impl Held {
    /// Where a folder has a blob.
    pub fn blob(folder: &Path, digest: &Digest) -> PathBuf {
        folder.join("blobs/sha256").join(digest.hex())
    }

    /// Reads a folder; of its layers nothing but their names.
    ///
    /// # Errors
    /// Why it holds no memory, in a sentence.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let document = |path: PathBuf| base::files::read(&path).map_err(|error| error.to_string());
        let whole = |descriptor: &Descriptor| {
            let bytes = document(Self::blob(folder, &descriptor.digest))?;
            if Digest::of(&bytes) == descriptor.digest { Ok(bytes) } else { Err(format!("the blob {} is damaged", descriptor.digest)) }
        };
        let wrong = |error: serde_json::Error| error.to_string();
        let index: Index = parse_bounded(&document(folder.join("index.json"))?).map_err(wrong)?;
        let [listed] = index.manifests.as_slice() else { return Err(format!("it lists {} images, and not one", index.manifests.len())) };
        let manifest: Manifest = parse_bounded(&whole(listed)?).map_err(wrong)?;
        let config = ImageConfig::parse(&whole(&manifest.config)?).map_err(wrong)?;
        let layers = config.rootfs.diff_ids.iter().copied().zip(manifest.layers.iter().map(|layer| layer.digest)).collect();
        Ok(Self { memory: Memory::of(&config)?, layers })
    }

    /// Writes an image of a memory into a folder; what another one left there and this one does not need is removed.
    ///
    /// # Errors
    /// When the folder holds something else, or cannot be written.
    pub fn write(store: &Store, image: &Image, folder: &Path) -> Result<(), BlobError> {
        let foreign = folder.join("index.json").exists() && Self::read(folder).is_err();
        if foreign {
            return Err(BlobError::Unsupported(format!("`{}` holds something else than a cache of builds", folder.display())));
        }
        let blobs = folder.join("blobs/sha256");
        base::files::make_folder(&blobs, 0o755)?;
        let made = store.distribution(image, Compression::Gzip)?;
        for (layer, descriptor) in image.layers.iter().zip(&made.layers) {
            let path = Self::blob(folder, &descriptor.digest);
            if fs::metadata(&path).is_ok_and(|meta| meta.len() == descriptor.size) {
                continue;
            }
            let beside = path.with_extension(base::ids::suffix(8));
            store.compress(layer, &beside)?;
            fs::rename(&beside, &path).map_err(|error| FileError::new("move", &path, error))?;
        }
        write_atomically(&Self::blob(folder, &made.config.digest), &made.config_bytes, 0o644)?;
        write_atomically(&Self::blob(folder, &made.manifest_digest), &made.manifest_bytes, 0o644)?;
        write_atomically(&folder.join("oci-layout"), b"{\"imageLayoutVersion\":\"1.0.0\"}", 0o644)?;
        let listed = Descriptor::new(media::MANIFEST, made.manifest_digest, made.manifest_bytes.len() as u64);
        let index = serde_json::to_vec(&Index::new(vec![listed])).map_err(|error| BlobError::Unsupported(format!("an index: {error}")))?;
        write_atomically(&folder.join("index.json"), &index, 0o644)?;
        let kept = made.layers.iter().map(|layer| layer.digest).chain([made.config.digest, made.manifest_digest]);
        Ok(sweep(&blobs, &kept.map(|digest| digest.hex()).collect())?)
    }
}

fn sweep(blobs: &Path, kept: &BTreeSet<String>) -> Result<(), FileError> {
    for entry in fs::read_dir(blobs).map_err(|error| FileError::new("list", blobs, error))?.flatten() {
        let is_kept = entry.file_name().to_str().is_some_and(|name| kept.contains(name));
        if !is_kept && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            fs::remove_file(entry.path()).map_err(|error| FileError::new("remove", entry.path(), error))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Home(PathBuf);

    impl Drop for Home {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn layer(store: &Store, content: &str) -> DiffId {
        let temp = store.temp().expect("temp");
        let tree = temp.path().join("tree");
        fs::create_dir(&tree).expect("tree");
        fs::write(tree.join("file"), content).expect("file");
        store.layers().commit(&temp, blobs::Stamp::KEEP).expect("layer")
    }

    #[test]
    fn a_memory_comes_back_from_its_folder_and_what_it_no_longer_needs_goes() {
        let home = Home(std::env::temp_dir().join(format!("wharf-cache-{}", base::ids::suffix(8))));
        let store = Store::open(&home.0.join("blobs")).expect("store");
        let (one, two) = (layer(&store, "1"), layer(&store, "2"));
        let key = |text: &str| Digest::of(text.as_bytes());
        let keys = BTreeMap::from([(key("a"), Some(one)), (key("b"), Some(two)), (key("c"), None)]);
        let folder = home.0.join("cache");
        let memory = Memory::of_build(&keys, None);
        Held::write(&store, &memory.keep(&store).expect("kept"), &folder).expect("written");
        let read = Held::read(&folder).expect("read");
        assert_eq!((&read.memory, read.layers.len()), (&memory, 2));
        let other = Store::open(&home.0.join("other")).expect("store");
        let file = fs::File::open(Held::blob(&folder, &read.layers[&two])).expect("blob");
        other.layers().import(file, "it", Some(&two)).expect("the layer");
        let less = Memory::of_build(&keys, Some(&BTreeSet::from([one])));
        assert_eq!(less.steps.keys().copied().collect::<BTreeSet<_>>(), BTreeSet::from([key("a"), key("c")]));
        Held::write(&store, &less.keep(&store).expect("kept"), &folder).expect("written");
        assert_eq!(fs::read_dir(folder.join("blobs/sha256")).expect("list").count(), 3, "a layer, a configuration, a manifest");
        assert_eq!(Held::read(&folder).expect("read").memory, less);
        fs::write(folder.join("index.json"), "{}").expect("written");
        assert!(Held::read(&folder).is_err());
        let refused = Held::write(&store, &less.keep(&store).expect("kept"), &folder).expect_err("refused").to_string();
        assert!(refused.contains("something else"), "{refused}");
    }

    #[test]
    fn an_image_is_no_memory() {
        assert!(Memory::of(&ImageConfig::default()).expect_err("none").contains("no cache of builds"));
        let mut config = ImageConfig::default();
        config.extra.insert(FIELD.into(), serde_json::json!({"version": 2, "steps": {}}));
        assert!(Memory::of(&config).expect_err("later").contains("version 2"));
    }
}
