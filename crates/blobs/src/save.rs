//! Images to archives that are an OCI layout and a `docker load` archive at once.

use crate::compress::{Compression, GzipWriter};
use crate::distribution::Counting;
use crate::error::BlobError;
use crate::images::Image;
use crate::store::Store;
use base::files::FileError;
use oci::manifest::{Descriptor, DockerSaved, Index, Manifest, Platform, media};
use oci::tar::{END, Entry, EntryPath, Kind, Mtime, encode_header, padding};
use oci::{Digest, Hasher, Reference};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};

/// What an archive of images is to be readable by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SaveFormat {
    /// `docker load`, and all that read OCI layouts.
    #[default]
    Both,
    /// Only what reads OCI layouts.
    Oci,
}

struct Out<'a> {
    out: &'a mut dyn Write,
}

impl Store {
    /// Writes images with their names into one archive, reproducibly.
    ///
    /// # Errors
    /// When a layer is damaged, which may show after bytes have been written, or the archive cannot be written.
    pub fn save(
        &self,
        images: &[(Image, Vec<Reference>)],
        format: SaveFormat,
        compression: Compression,
        out: &mut dyn Write,
    ) -> Result<(), BlobError> {
        let mut out = Out { out };
        for folder in ["blobs", "blobs/sha256"] {
            out.entry(folder, Kind::Folder, 0o755)?;
        }
        let mut done = BTreeSet::new();
        let (mut manifests, mut saved) = (Vec::new(), Vec::new());
        for (image, references) in images {
            let layers = self.save_layers(image, compression, &mut done, &mut out)?;
            let config = self.images().config_bytes(&image.id)?;
            out.blob(&image.id.0, &config, &mut done)?;
            let blob = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
            saved.push(DockerSaved {
                config: blob(&image.id.0),
                repo_tags: references.iter().map(Reference::familiar).collect(),
                layers: layers.iter().map(|layer| blob(&layer.digest)).collect(),
            });
            let manifest = Manifest::new(Descriptor::new(media::CONFIG, image.id.0, config.len() as u64), layers);
            let (digest, bytes) = manifest.to_bytes().map_err(|error| BlobError::json("the manifest", error))?;
            out.blob(&digest, &bytes, &mut done)?;
            manifests.extend(described(image, references, digest, bytes.len() as u64));
        }
        let json = |value: Result<Vec<u8>, serde_json::Error>| value.map_err(|error| BlobError::json("the index", error));
        out.file("index.json", &json(oci::canonical::to_vec(&Index::new(manifests)))?)?;
        if format == SaveFormat::Both {
            out.file("manifest.json", &json(oci::canonical::to_vec(&saved))?)?;
        }
        out.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        out.write(&END)
    }

    fn save_layers(
        &self,
        image: &Image,
        compression: Compression,
        done: &mut BTreeSet<Digest>,
        out: &mut Out<'_>,
    ) -> Result<Vec<Descriptor>, BlobError> {
        let mut descriptors = Vec::new();
        for layer in &image.layers {
            if compression == Compression::None {
                let size = self.layers().meta(layer)?.size;
                if done.insert(layer.0) {
                    out.entry(&format!("blobs/sha256/{}", layer.0.hex()), Kind::File { size }, 0o644)?;
                    self.layers().export(layer, out.out)?;
                    out.write(padding(size))?;
                }
                descriptors.push(Descriptor::new(media::LAYER, layer.0, size));
                continue;
            }
            // The size and the digest stand before the content, so it is made beside first.
            let temp = self.temp()?;
            let path = temp.path().join("layer");
            let (digest, size) = self.compress(layer, &path)?;
            if done.insert(digest) {
                out.entry(&format!("blobs/sha256/{}", digest.hex()), Kind::File { size }, 0o644)?;
                let mut file = File::open(&path).map_err(|error| FileError::new("open", &path, error))?;
                io::copy(&mut file, &mut out.out).map_err(|error| FileError::new("write", "the archive", error))?;
                out.write(padding(size))?;
            }
            descriptors.push(Descriptor::new(media::LAYER_GZIP, digest, size));
        }
        Ok(descriptors)
    }

    /// Writes a layer compressed with gzip to a file; its digest and size. Equal layers give equal bytes on any machine.
    ///
    /// # Errors
    /// When the layer is damaged, or the file cannot be written.
    pub fn compress(&self, layer: &oci::DiffId, path: &std::path::Path) -> Result<(Digest, u64), BlobError> {
        let file = File::create(path).map_err(|error| FileError::new("create", path, error))?;
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut gzip = GzipWriter::new(Counting { inner: io::BufWriter::new(file), hasher: Hasher::new(), bytes: 0 }, threads);
        self.layers().export(layer, &mut gzip)?;
        let finished = gzip.finish().and_then(|mut counting| counting.flush().map(|()| counting));
        let counting = finished.map_err(|error| FileError::new("write", path, error))?;
        Ok((counting.hasher.finish(), counting.bytes))
    }
}

fn described(image: &Image, references: &[Reference], digest: Digest, size: u64) -> Vec<Descriptor> {
    let mut descriptor = Descriptor::new(media::MANIFEST, digest, size);
    let platform =
        Platform { architecture: image.config.architecture.clone(), os: image.config.os.clone(), variant: image.config.variant.clone() };
    descriptor.platform = Some(platform);
    let named = references.iter().map(|reference| {
        let tag = reference.tag.clone().unwrap_or_else(|| "latest".into());
        let annotations = [("io.containerd.image.name", reference.to_string()), ("org.opencontainers.image.ref.name", tag)];
        Descriptor { annotations: annotations.map(|(key, value)| (key.to_owned(), value)).into_iter().collect(), ..descriptor.clone() }
    });
    let named: Vec<_> = named.collect();
    if named.is_empty() { vec![descriptor] } else { named }
}

impl Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        self.out.write_all(bytes).map_err(|error| FileError::new("write", "the archive", error).into())
    }

    fn entry(&mut self, path: &str, kind: Kind, mode: u32) -> Result<(), BlobError> {
        let path = EntryPath::parse(path.as_bytes()).map_err(|fault| BlobError::Name(fault.to_string()))?;
        let mut header = Vec::new();
        encode_header(&Entry { path, kind, mode, uid: 0, gid: 0, mtime: Mtime::default(), xattrs: BTreeMap::new() }, &mut header);
        self.write(&header)
    }

    fn file(&mut self, path: &str, bytes: &[u8]) -> Result<(), BlobError> {
        self.entry(path, Kind::File { size: bytes.len() as u64 }, 0o644)?;
        self.write(bytes)?;
        self.write(padding(bytes.len() as u64))
    }

    fn blob(&mut self, digest: &Digest, bytes: &[u8], done: &mut BTreeSet<Digest>) -> Result<(), BlobError> {
        if done.insert(*digest) { self.file(&format!("blobs/sha256/{}", digest.hex()), bytes) } else { Ok(()) }
    }
}
