//! Images: configurations over layers, and the names they go by.

use crate::error::{BlobError, io_at};
use crate::layers::TreeLease;
use crate::remote::{fits, host_platform};
use crate::store::Store;
use base::files::{read_if_exists, write_atomically};
use oci::manifest::{Descriptor, Index, Manifest, media};
use oci::{DiffId, Digest, History, ImageConfig, ImageId, Reference};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The images of a store.
#[derive(Clone, Copy, Debug)]
pub struct Images<'a> {
    store: &'a Store,
}

/// An image, ready to be run or built upon; its layers are leased as long as a clone of it lives.
#[derive(Clone, Debug)]
pub struct Image {
    /// The digest of its configuration: its identity.
    pub id: ImageId,
    /// The digest of its manifest with uncompressed layers.
    pub manifest: Digest,
    /// What a container of it does, and its history.
    pub config: ImageConfig,
    /// Layers, the lowest first.
    pub layers: Vec<DiffId>,
    /// Layer trees, the topmost first, none twice, as overlay wants them.
    pub trees: Vec<PathBuf>,
    /// Bytes of its uncompressed layers.
    pub size: u64,
    leases: Arc<Vec<TreeLease>>,
}

/// Trees, the topmost first, each only where it comes first: overlay refuses one twice, and what a layer does at the top it need not
/// do again further down.
pub fn without_repeats(trees: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut seen = std::collections::BTreeSet::new();
    trees.filter(|tree| seen.insert(tree.clone())).collect()
}

impl Image {
    /// How many layers are leased.
    pub fn leased(&self) -> usize {
        self.leases.len()
    }
}

/// An image in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImageSummary {
    /// Its id.
    pub id: ImageId,
    /// Its names, sorted.
    pub references: Vec<Reference>,
    /// Bytes of its uncompressed layers.
    pub size: u64,
    /// When it was made, as its configuration says.
    pub created: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Named {
    reference: Reference,
    image: ImageId,
}

impl<'a> Images<'a> {
    pub(crate) fn of(store: &'a Store) -> Self {
        Self { store }
    }

    /// Stores a configuration over layers that are here, and makes all of it durable.
    ///
    /// # Errors
    /// When a layer is not here, or it cannot be written.
    pub fn put(&self, config: &ImageConfig) -> Result<Image, BlobError> {
        let (_, bytes) = config.to_bytes().map_err(|error| BlobError::json("the configuration", error))?;
        self.put_bytes(&bytes)
    }

    /// As [`Images::put`], keeping the very bytes of a configuration made elsewhere.
    ///
    /// # Errors
    /// Also when the bytes are no configuration.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<Image, BlobError> {
        let config = ImageConfig::parse(bytes).map_err(|error| BlobError::json("the configuration", error))?;
        let image = self.assemble(ImageId(Digest::of(bytes)), config, bytes.len() as u64)?;
        self.store.layers().settle(&image.layers)?;
        let path = self.config_path(&image.id);
        if !path.exists() {
            write_atomically(&path, bytes, 0o600)?;
        }
        Ok(image)
    }

    /// An image by `REFERENCE`, `NAME@sha256:MANIFEST`, `sha256:ID`, or the beginning of an id (at least 4 digits).
    ///
    /// # Errors
    /// When there is none, or several.
    pub fn resolve(&self, name: &str) -> Result<Image, BlobError> {
        let id = self.find(name)?;
        self.get(&id)
    }

    /// An image by its id.
    ///
    /// # Errors
    /// When it or one of its layers is not here.
    pub fn get(&self, id: &ImageId) -> Result<Image, BlobError> {
        let bytes = self.config_bytes(id)?;
        let config = ImageConfig::parse(&bytes).map_err(|error| BlobError::json(format!("the configuration {id}"), error))?;
        self.assemble(*id, config, bytes.len() as u64)
    }

    /// The very bytes of an image's configuration.
    ///
    /// # Errors
    /// When the image is not here.
    pub fn config_bytes(&self, id: &ImageId) -> Result<Vec<u8>, BlobError> {
        read_if_exists(&self.config_path(id))?.ok_or_else(|| BlobError::NoImage(id.to_string()))
    }

    /// Gives an image a name, taking it from whichever image had it. A name without tag is `latest`.
    ///
    /// # Errors
    /// When the image is not here, or it cannot be written.
    pub fn tag(&self, reference: &Reference, id: &ImageId) -> Result<(), BlobError> {
        let mut reference = reference.clone().or_latest();
        reference.digest = None;
        let reference = reference.or_latest();
        if !self.config_path(id).exists() {
            return Err(BlobError::NoImage(id.to_string()));
        }
        let path = self.name_path(&reference);
        if self.named(&path)?.is_some_and(|named| named.image == *id) {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&Named { reference, image: *id }).map_err(|error| BlobError::json("a name", error))?;
        Ok(write_atomically(&path, &bytes, 0o600)?)
    }

    /// All images, sorted by id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn list(&self) -> Result<Vec<ImageSummary>, BlobError> {
        let names = self.names()?;
        let mut list = Vec::new();
        for id in self.ids()? {
            let bytes = self.config_bytes(&id)?;
            let config = ImageConfig::parse(&bytes).map_err(|error| BlobError::json(format!("the configuration {id}"), error))?;
            let size = config.rootfs.diff_ids.iter().filter_map(|layer| self.store.layers().meta(layer).ok()).map(|meta| meta.size).sum();
            let references = names.iter().filter(|(_, image)| **image == id).map(|(reference, _)| reference.clone()).collect();
            list.push(ImageSummary { id, references, size, created: config.created });
        }
        Ok(list)
    }

    /// How an image came to be, oldest first, with the layer of each step that made one.
    ///
    /// # Errors
    /// When the image is not here.
    pub fn history(&self, name: &str) -> Result<Vec<(History, Option<DiffId>)>, BlobError> {
        let image = self.resolve(name)?;
        let mut layers = image.layers.iter().copied();
        Ok(image
            .config
            .history
            .into_iter()
            .map(|step| (step.empty_layer, step))
            .map(|(empty, step)| (step, if empty { None } else { layers.next() }))
            .collect())
    }

    /// Takes a name away, or an image with all its names. Layers stay until they are pruned.
    ///
    /// # Errors
    /// When there is no such image.
    pub fn remove(&self, name: &str) -> Result<(), BlobError> {
        let id = self.find(name)?;
        let _alone = self.store.lock_alone()?;
        let names: Vec<_> = self.names()?.into_iter().filter(|(_, image)| *image == id).map(|(reference, _)| reference).collect();
        let asked = name.parse::<Reference>().ok().filter(|asked| asked.digest.is_none()).map(Reference::or_latest);
        let gone: Vec<_> = match asked.filter(|asked| names.contains(asked)) {
            Some(asked) => vec![asked],
            None => names.clone(),
        };
        for reference in &gone {
            let path = self.name_path(reference);
            fs::remove_file(&path).map_err(io_at("remove", &path))?;
        }
        if gone.len() == names.len() {
            let path = self.config_path(&id);
            fs::remove_file(&path).map_err(io_at("remove", &path))?;
        }
        Ok(())
    }

    /// All names and their images.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn names(&self) -> Result<BTreeMap<Reference, ImageId>, BlobError> {
        let folder = self.store.root().join("refs");
        let mut names = BTreeMap::new();
        for entry in fs::read_dir(&folder).map_err(io_at("list", &folder))? {
            let path = entry.map_err(io_at("list", &folder))?.path();
            if path.extension().is_some_and(|extension| extension == "json")
                && let Some(named) = self.named(&path)?
            {
                names.insert(named.reference, named.image);
            }
        }
        Ok(names)
    }

    /// The manifest over uncompressed layers, canonical bytes: the one whose digest is [`Image::manifest`].
    ///
    /// # Errors
    /// When the image or one of its layers is not here.
    pub fn manifest_bytes(&self, id: &ImageId) -> Result<Vec<u8>, BlobError> {
        let bytes = self.config_bytes(id)?;
        let config = ImageConfig::parse(&bytes).map_err(|error| BlobError::json(format!("the configuration {id}"), error))?;
        Ok(self.manifest(id, &config, bytes.len() as u64)?.1)
    }

    /// The ids of all images, sorted.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn ids(&self) -> Result<Vec<ImageId>, BlobError> {
        let folder = self.store.root().join("images");
        let mut ids = Vec::new();
        for entry in fs::read_dir(&folder).map_err(io_at("list", &folder))? {
            let name = entry.map_err(io_at("list", &folder))?.file_name();
            ids.extend(name.to_str().and_then(|name| name.strip_suffix(".json")).and_then(|hex| Digest::from_hex(hex).ok()).map(ImageId));
        }
        ids.sort_unstable();
        Ok(ids)
    }

    fn find(&self, name: &str) -> Result<ImageId, BlobError> {
        let missing = || BlobError::NoImage(name.to_owned());
        if let Ok(digest) = name.parse::<Digest>() {
            let id = ImageId(digest);
            return if self.config_path(&id).exists() { Ok(id) } else { self.by_manifest(&digest)?.ok_or_else(missing) };
        }
        let reference = name.parse::<Reference>();
        if let Ok(reference) = &reference {
            if let Some(digest) = reference.digest {
                return self.by_manifest(&digest)?.ok_or_else(missing);
            }
            if let Some(named) = self.named(&self.name_path(&reference.clone().or_latest()))? {
                return Ok(named.image);
            }
        }
        let prefix = name.strip_prefix("sha256:").unwrap_or(name);
        if (4..=64).contains(&prefix.len()) && prefix.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            let mut found = self.ids()?.into_iter().filter(|id| id.0.hex().starts_with(prefix));
            return match (found.next(), found.next()) {
                (Some(id), None) => Ok(id),
                (None, _) => Err(missing()),
                _ => Err(BlobError::Ambiguous(name.to_owned())),
            };
        }
        Err(reference.err().map_or_else(missing, |error| BlobError::Name(error.to_string())))
    }

    /// Keeps a manifest or index of a registry, so that its digest finds the image here.
    pub(crate) fn know_manifest(&self, digest: &Digest, bytes: &[u8]) -> Result<(), BlobError> {
        let path = self.manifest_path(digest);
        if !path.exists() {
            write_atomically(&path, bytes, 0o600)?;
        }
        Ok(())
    }

    fn by_manifest(&self, digest: &Digest) -> Result<Option<ImageId>, BlobError> {
        Ok(self.image_of(digest, 0)?.filter(|id| self.config_path(id).exists()))
    }

    /// The image that a manifest is of; of an index, the one for this machine first.
    fn image_of(&self, digest: &Digest, depth: usize) -> Result<Option<ImageId>, BlobError> {
        let path = self.manifest_path(digest);
        let Some(bytes) = read_if_exists(&path)? else { return Ok(None) };
        let unreadable = |error| BlobError::json(path.display().to_string(), error);
        if let Ok(manifest) = oci::manifest::parse_bounded::<Manifest>(&bytes) {
            return Ok(Some(ImageId(manifest.config.digest)));
        }
        let mut index: Index = oci::manifest::parse_bounded(&bytes).map_err(unreadable)?;
        index.manifests.sort_by_key(|one| !one.platform.as_ref().is_some_and(|platform| fits(platform, &host_platform())));
        for one in index.manifests.iter().filter(|_| depth < 3) {
            if let Some(id) = self.image_of(&one.digest, depth + 1)?.filter(|id| self.config_path(id).exists()) {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// Whether a manifest or index leads to an image that is here.
    pub(crate) fn is_of_use(&self, digest: &Digest) -> bool {
        self.by_manifest(digest).is_ok_and(|id| id.is_some())
    }

    fn assemble(&self, id: ImageId, config: ImageConfig, config_bytes: u64) -> Result<Image, BlobError> {
        let layers = config.rootfs.diff_ids.clone();
        let leases = layers.iter().map(|layer| self.store.layers().tree(layer)).collect::<Result<Vec<_>, _>>()?;
        let trees = without_repeats(leases.iter().rev().map(|lease| lease.path().to_owned()));
        let (digest, bytes, size) = self.manifest(&id, &config, config_bytes)?;
        let path = self.manifest_path(&digest);
        if !path.exists() {
            write_atomically(&path, &bytes, 0o600)?;
        }
        Ok(Image { id, manifest: digest, config, layers, trees, size, leases: Arc::new(leases) })
    }

    fn manifest(&self, id: &ImageId, config: &ImageConfig, config_bytes: u64) -> Result<(Digest, Vec<u8>, u64), BlobError> {
        let mut layers = Vec::new();
        for layer in &config.rootfs.diff_ids {
            layers.push(Descriptor::new(media::LAYER, layer.0, self.store.layers().meta(layer)?.size));
        }
        let size = layers.iter().map(|layer| layer.size).sum();
        let manifest = Manifest::new(Descriptor::new(media::CONFIG, id.0, config_bytes), layers);
        let (digest, bytes) = manifest.to_bytes().map_err(|error| BlobError::json("the manifest", error))?;
        Ok((digest, bytes, size))
    }

    fn named(&self, path: &Path) -> Result<Option<Named>, BlobError> {
        let Some(bytes) = read_if_exists(path)? else { return Ok(None) };
        let named: Named = serde_json::from_slice(&bytes).map_err(|error| BlobError::json(path.display().to_string(), error))?;
        Ok(self.config_path(&named.image).exists().then_some(named))
    }

    fn config_path(&self, id: &ImageId) -> PathBuf {
        self.store.root().join("images").join(format!("{}.json", id.0.hex()))
    }

    fn manifest_path(&self, digest: &Digest) -> PathBuf {
        self.store.root().join("manifests").join(format!("{}.json", digest.hex()))
    }

    /// Percent-encoded where a file name needs it; long names by their digest.
    fn name_path(&self, reference: &Reference) -> PathBuf {
        let text = reference.to_string().replace('%', "%25").replace('/', "%2F");
        let name = if text.len() > 200 { Digest::of(text.as_bytes()).hex() } else { text };
        self.store.root().join("refs").join(format!("{name}.json"))
    }
}
