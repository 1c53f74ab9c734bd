//! What is in an image, a folder or an archive, and what is known against it.
//!
//! Catalogues read packages out of a tree of files; advisories are matched against them by each ecosystem's own order of versions.
//! Nothing here asks a network.

mod package;

pub use package::{Ecosystem, Inventory, Os, Package, Source, Target, TargetKind};
