//! What is in an image, a folder or an archive, and what is known against it.
//!
//! Catalogues read packages out of a tree of files; advisories are matched against them by each ecosystem's own order of versions.
//! Nothing here asks a network.

pub mod advice;
pub mod advisories;
pub mod baseline;
pub mod catalogues;
mod database;
mod elf;
pub mod gate;
mod inventory;
pub mod matching;
mod os;
mod ownership;
mod package;
mod read;
pub mod rematch;
pub mod reports;
pub mod sbom;
pub mod severity;
mod tree;
pub mod versions;

pub use inventory::inventory;
pub use package::{Ecosystem, Inventory, Os, Package, Source, Target, TargetKind};
pub use read::{List, Reading, Told};
pub use tree::{Content, Entry, Saved, SavedError, Tree};
