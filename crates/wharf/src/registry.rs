//! Registries as the commands use them.

use crate::context::Context;
use crate::project::Project;
use base::{Problem, ProblemKind};
use blobs::Compression;
use blobs::remote::{Remote, RemoteError, RemoteOptions};

/// How layers are compressed for registries.
pub const COMPRESSION: Compression = Compression::Gzip;

/// All registries, with the environment's own settings.
///
/// # Errors
/// When there is no such environment.
pub fn remote(context: &Context, project: &Project) -> Result<Remote, Problem> {
    project.environment(context)?;
    Ok(Remote::new(RemoteOptions::default()))
}

/// A failure of a registry's as the user is told it.
pub fn problem(error: RemoteError) -> Problem {
    let kind = if error.is_unreachable() { ProblemKind::Unreachable } else { ProblemKind::Target };
    let problem = Problem::new(kind, error.to_string());
    match error.hint() {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}
