//! What the pages show of releases and images: this machine's own records and its store.

mod images;
mod releases;

pub use images::{image, images};
pub use releases::{release, releases};

use base::{Problem, ProblemKind, Timestamp};
use dashboard::SourceError;

/// A problem as the pages tell it.
pub fn told(problem: &Problem) -> SourceError {
    match problem.kind {
        ProblemKind::Usage => SourceError::Refused(problem.message.clone()),
        _ => SourceError::Failed(problem.message.clone()),
    }
}

/// A moment as records write it; the epoch where they do not.
fn moment(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap_or_default()
}
