//! Manifests and indexes (image spec, manifest.md and image-index.md), and docker's media types for the same.

use crate::config::{Extra, or_default};
use crate::digest::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Media types.
pub mod media {
    /// An OCI index.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An OCI manifest.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI configuration.
    pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// An uncompressed layer.
    pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// A layer compressed with gzip.
    pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// A layer compressed with zstd.
    pub const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
    /// Docker's index.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// Docker's manifest.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker's configuration.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// Docker's layer, compressed with gzip.
    pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    /// Docker's uncompressed layer.
    pub const DOCKER_LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
}

/// The largest document that is read: what registries must accept (distribution spec, "Pushing Manifests").
pub const MAX_DOCUMENT_BYTES: usize = 4 << 20;

/// What a blob is, its digest and its size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// One of [`media`].
    #[serde(default)]
    pub media_type: String,
    /// Of the blob's bytes.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// Free annotations.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Which machines it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// All else.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Descriptor {
    /// Of a blob without annotations.
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Self { media_type: media_type.into(), digest, size, annotations: BTreeMap::new(), platform: None, extra: Extra::new() }
    }
}

/// A machine that an image runs on, in Go's names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// `amd64`.
    pub architecture: String,
    /// `linux`.
    pub os: String,
    /// `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// A configuration and its layers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// [`media::MANIFEST`] or docker's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, the lowest first.
    #[serde(default, deserialize_with = "or_default")]
    pub layers: Vec<Descriptor>,
    /// Free annotations.
    #[serde(default, deserialize_with = "or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// All else.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Manifest {
    /// An OCI manifest without annotations.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self { schema_version: 2, media_type: media::MANIFEST.into(), config, layers, annotations: BTreeMap::new(), extra: Extra::new() }
    }

    /// The canonical bytes, and their digest.
    ///
    /// # Errors
    /// When a kept field has no JSON form.
    pub fn to_bytes(&self) -> Result<(Digest, Vec<u8>), serde_json::Error> {
        let bytes = crate::canonical::to_vec(self)?;
        Ok((Digest::of(&bytes), bytes))
    }
}

/// Several manifests, or the root of a layout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// [`media::INDEX`] or docker's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    /// What it lists.
    #[serde(default, deserialize_with = "or_default")]
    pub manifests: Vec<Descriptor>,
    /// All else.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Index {
    /// An OCI index.
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self { schema_version: 2, media_type: media::INDEX.into(), manifests, extra: Extra::new() }
    }
}

/// One image of `manifest.json` in an archive of `docker save`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DockerSaved {
    /// Path of the configuration in the archive.
    pub config: String,
    /// References such as `app:1`.
    #[serde(default, deserialize_with = "or_default")]
    pub repo_tags: Vec<String>,
    /// Paths of the layers in the archive, the lowest first.
    #[serde(default, deserialize_with = "or_default")]
    pub layers: Vec<String>,
}

/// Reads a JSON document of at most [`MAX_DOCUMENT_BYTES`].
///
/// # Errors
/// When it is too large, or not of the type.
pub fn parse_bounded<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    if bytes.len() > MAX_DOCUMENT_BYTES {
        return Err(serde::de::Error::custom(format!("{} bytes are too many: at most {MAX_DOCUMENT_BYTES} are read", bytes.len())));
    }
    serde_json::from_slice(bytes)
}
