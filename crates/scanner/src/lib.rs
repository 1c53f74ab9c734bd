//! What is in an image, a folder or an archive, and what is known against it.
//!
//! Catalogues read packages out of a tree of files; advisories are matched against them by each ecosystem's own order of versions.
//! Nothing here asks a network.

pub mod advisories;
pub mod baseline;
pub mod gate;
pub mod matching;
mod package;
pub mod rematch;
pub mod severity;
pub mod versions;

pub use package::{Ecosystem, Inventory, Os, Package, Source, Target, TargetKind};
