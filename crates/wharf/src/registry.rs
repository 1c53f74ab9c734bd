//! Registries as the stages of a project use them.

use crate::context::Context;
use crate::project::Project;
use crate::registries;
use base::Problem;
use blobs::Compression;
use blobs::remote::Remote;

pub use crate::registries::problem;

/// How layers are compressed for registries.
pub const COMPRESSION: Compression = Compression::Gzip;

/// All registries, with the project's own settings.
///
/// # Errors
/// When there is no such environment, or a file of the settings cannot be read.
pub fn remote(context: &Context, project: &Project) -> Result<Remote, Problem> {
    project.environment(context)?;
    registries::of(&project.settings().registries, &project.folder)
}
