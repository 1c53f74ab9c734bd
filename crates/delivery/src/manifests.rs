//! From a project's manifests to the objects of a release.

mod read;
mod render;
mod rolling;

#[cfg(test)]
mod tests;

pub use read::{Source, read_folder, read_text};
pub(crate) use render::shown;
pub use render::{Inputs, Intent, Release, render};

/// The field manager of everything that Wharf applies.
pub const MANAGER: &str = "wharf";
/// Label: who made an object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label: of which project it is.
pub const PROJECT: &str = "wharf.local/project";
/// Label: of which release it is.
pub const RELEASE: &str = "wharf.local/release";
/// Annotation of a first release that failed: the cause.
pub const FAILED: &str = "wharf.local/failed";
