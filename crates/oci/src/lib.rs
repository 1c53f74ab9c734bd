//! References, manifests, layer archives: the formats of images, read and written without touching a disk.

pub mod canonical;
pub mod config;
pub mod digest;
pub mod layer;
pub mod manifest;
pub mod reference;
pub mod registry;
pub mod signature;
pub mod tar;

pub use config::{ContainerConfig, Healthcheck, History, ImageConfig, RootFs};
pub use digest::{DiffId, Digest, Hasher, ImageId};
pub use manifest::{Descriptor, Index, Manifest, Platform};
pub use reference::Reference;
