//! What a push would give: digests and sizes of layers as registries get them, remembered beside each layer.

use crate::compress::{Compression, GzipWriter};
use crate::error::BlobError;
use crate::images::Image;
use crate::store::Store;
use base::files::FileError;
use oci::manifest::{Descriptor, Manifest, media};
use oci::{DiffId, Digest, Hasher};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io::{self, Write};

/// An image as a registry would get it.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// Of [`Distribution::manifest_bytes`].
    pub manifest_digest: Digest,
    /// The manifest, canonical.
    pub manifest_bytes: Vec<u8>,
    /// The layers, the lowest first.
    pub layers: Vec<Descriptor>,
    /// The configuration.
    pub config: Descriptor,
    /// Its very bytes.
    pub config_bytes: Vec<u8>,
}

/// A layer as it was packed, and who was given it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Packed {
    /// How: another way may give other bytes.
    way: String,
    pub digest: Digest,
    pub size: u64,
    /// Registries and repositories, the latest last.
    #[serde(default)]
    places: VecDeque<(String, String)>,
}

/// Named after all that decides the bytes of a compressed layer. To be changed with any of it, the library included.
const GZIP_WAY: &str = "gzip-6-1MiB/1";
const MAX_PLACES: usize = 16;

impl Packed {
    pub(crate) fn is_at(&self, place: &(String, String)) -> bool {
        self.places.contains(place)
    }

    /// Another repository of a registry that has it.
    pub(crate) fn sister(&self, registry: &str, repository: &str) -> Option<String> {
        self.places.iter().rev().find(|(at, of)| at == registry && of != repository).map(|(_, of)| of.clone())
    }
}

impl Store {
    /// What a push of an image would give: it needs no network, and costs nothing once the layers have been packed.
    ///
    /// # Errors
    /// When a layer is not here, or damaged.
    pub fn distribution(&self, image: &Image, compression: Compression) -> Result<Distribution, BlobError> {
        for id in &image.layers {
            if self.packed(id, compression)?.is_none() {
                let packed = produce(self, id, compression, &mut io::sink())?;
                self.remember(id, compression, &packed, None)?;
            }
        }
        self.remembered(image, compression)?.ok_or_else(|| BlobError::damaged("the store", "what was just written is not there"))
    }

    /// The same as far as it is known without packing anything.
    pub(crate) fn remembered(&self, image: &Image, compression: Compression) -> Result<Option<Distribution>, BlobError> {
        let media_type = if compression == Compression::None { media::LAYER } else { media::LAYER_GZIP };
        let mut layers = Vec::with_capacity(image.layers.len());
        for id in &image.layers {
            let Some(packed) = self.packed(id, compression)? else { return Ok(None) };
            layers.push(Descriptor::new(media_type, packed.digest, packed.size));
        }
        let config_bytes = self.images().config_bytes(&image.id)?;
        let config = Descriptor::new(media::CONFIG, image.id.0, config_bytes.len() as u64);
        let manifest = Manifest::new(config.clone(), layers.clone()).to_bytes();
        let (manifest_digest, manifest_bytes) = manifest.map_err(|error| BlobError::json("the manifest", error))?;
        Ok(Some(Distribution { manifest_digest, manifest_bytes, layers, config, config_bytes }))
    }

    /// What is known of a layer's packed form. A record that cannot be read is none.
    pub(crate) fn packed(&self, id: &DiffId, compression: Compression) -> Result<Option<Packed>, BlobError> {
        let size = self.layers().meta(id)?.size;
        let read = base::files::read_if_exists(&self.layers().folder(id).join(file(compression)))?;
        let read = read.and_then(|bytes| serde_json::from_slice::<Packed>(&bytes).ok()).filter(|packed| packed.way == way(compression));
        Ok(match compression {
            // Its name says what it is.
            Compression::None => {
                let places = read.map(|packed| packed.places).unwrap_or_default();
                Some(Packed { way: way(compression).into(), digest: id.0, size, places })
            }
            Compression::Gzip => read,
        })
    }

    /// Takes back what was written down of a layer's packed form.
    pub(crate) fn forget_packed(&self, id: &DiffId, compression: Compression) -> Result<(), BlobError> {
        let path = self.layers().folder(id).join(file(compression));
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::new("remove", path, error).into()),
            _ => Ok(()),
        }
    }

    /// Writes down how a layer was packed, and who has it now. Losing it costs time and nothing else.
    pub(crate) fn remember(
        &self,
        id: &DiffId,
        compression: Compression,
        packed: &Packed,
        place: Option<&(String, String)>,
    ) -> Result<(), BlobError> {
        let mut packed = packed.clone();
        if let Some(known) = self.packed(id, compression)?.filter(|known| known.digest == packed.digest) {
            packed.places = known.places;
        }
        if let Some(place) = place {
            packed.places.retain(|known| known != place);
            packed.places.push_back(place.clone());
            while packed.places.len() > MAX_PLACES {
                packed.places.pop_front();
            }
        }
        let path = self.layers().folder(id).join(file(compression));
        let beside = path.with_extension(base::ids::suffix(8));
        let bytes = serde_json::to_vec(&packed).map_err(|error| BlobError::json("a layer's record", error))?;
        std::fs::write(&beside, bytes).map_err(|error| FileError::new("write", &beside, error))?;
        Ok(std::fs::rename(&beside, &path).map_err(|error| FileError::new("write", &path, error))?)
    }
}

fn way(compression: Compression) -> &'static str {
    if compression == Compression::None { "none" } else { GZIP_WAY }
}

fn file(compression: Compression) -> &'static str {
    if compression == Compression::None { "plain.json" } else { "gzip.json" }
}

/// Writes a layer as registries get it; its digest and size. Equal layers give equal bytes on any machine.
pub(crate) fn produce(store: &Store, id: &DiffId, compression: Compression, out: &mut dyn Write) -> Result<Packed, BlobError> {
    let made = |digest, size| Packed { way: way(compression).into(), digest, size, places: VecDeque::new() };
    if compression == Compression::None {
        store.layers().export(id, out)?;
        return Ok(made(id.0, store.layers().meta(id)?.size));
    }
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut gzip = GzipWriter::new(Counting { inner: out, hasher: Hasher::new(), bytes: 0 }, threads);
    store.layers().export(id, &mut gzip)?;
    let counting = gzip.finish().map_err(|error| FileError::new("write", "the compressed layer", error))?;
    Ok(made(counting.hasher.finish(), counting.bytes))
}

/// Counts and hashes what passes through.
pub(crate) struct Counting<W> {
    pub inner: W,
    pub hasher: Hasher,
    pub bytes: u64,
}

impl<W: Write> Write for Counting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
