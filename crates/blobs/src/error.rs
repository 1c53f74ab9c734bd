//! What can go wrong in the store.

use base::files::FileError;
use oci::DiffId;
use oci::tar::TarError;

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// A file operation; a full disk is one, with its path.
    #[error(transparent)]
    File(#[from] FileError),
    /// An archive that is not read.
    #[error("{what}: {source}")]
    Tar {
        /// Which archive.
        what: String,
        /// What is wrong with it.
        source: Box<TarError>,
    },
    /// A document that is none.
    #[error("{what}: {source}")]
    Json {
        /// Which document.
        what: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Content that is not what its name says.
    #[error("{what} should have the digest {expected} and has {found}")]
    Digest {
        /// Which content.
        what: String,
        /// The name's.
        expected: String,
        /// The content's.
        found: String,
    },
    /// A layer that is not here.
    #[error("the layer {0} is not in the store")]
    NoLayer(DiffId),
    /// An image that is not here.
    #[error("no image `{0}` in the store")]
    NoImage(String),
    /// A short id that several images have.
    #[error("`{0}` is the beginning of several image ids; write more of it")]
    Ambiguous(String),
    /// A name that means nothing.
    #[error("{0}")]
    Name(String),
    /// Something that is understood and not supported.
    #[error("{0}")]
    Unsupported(String),
    /// Something on the disk that is not as it was written.
    #[error("{what} is damaged: {why}; `wharf image fsck` lists all damage")]
    Damaged {
        /// What.
        what: String,
        /// How.
        why: String,
    },
}

impl BlobError {
    pub(crate) fn tar(what: impl Into<String>, source: TarError) -> Self {
        Self::Tar { what: what.into(), source: Box::new(source) }
    }

    pub(crate) fn json(what: impl Into<String>, source: serde_json::Error) -> Self {
        Self::Json { what: what.into(), source }
    }

    pub(crate) fn damaged(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Damaged { what: what.into(), why: why.into() }
    }
}

/// Wraps a system error with what was tried and where.
pub(crate) fn at<'a>(verb: &'static str, path: &'a std::path::Path) -> impl Fn(rustix::io::Errno) -> FileError + use<'a> {
    move |error| FileError::new(verb, path, error.into())
}

/// As [`at`], for errors of the standard library.
pub(crate) fn io_at<'a>(verb: &'static str, path: &'a std::path::Path) -> impl Fn(std::io::Error) -> FileError + use<'a> {
    move |error| FileError::new(verb, path, error)
}
