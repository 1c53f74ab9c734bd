//! Content store: layers and images.
//!
//! A layer is its unpacked tree, which is an overlay lower folder, and a recipe: all bytes of its archive that are no file's content.
//! Tree and recipe make up the archive again, byte by byte; an export whose digest differs fails.

mod archive;
mod aside;
mod cache;
mod commit;
mod compress;
mod distribution;
mod error;
mod export;
mod images;
mod import;
mod layers;
mod locks;
mod meta;
mod prune;
mod recipe;
pub mod remote;
mod save;
mod store;
mod tree;
mod view;
mod zstd;

pub use archive::{ImportedImage, host_architecture, import_path};
pub use cache::{Cache, Record};
pub use commit::Stamp;
pub use compress::{Compression, Decoder, GzipWriter, decode};
pub use distribution::Distribution;
pub use error::BlobError;
pub use images::{Image, ImageSummary, Images, without_repeats};
pub use layers::{Layers, TreeLease};
pub use meta::LayerMeta;
pub use prune::{Fault, PruneOptions, Pruned};
pub use save::SaveFormat;
pub use store::{Store, TempFolder};
pub use tree::{Folder, TreeWriter, is_opaque};
pub use view::{Node, View, resolve_with};
pub use zstd::ZstdReader;
