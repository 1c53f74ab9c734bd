//! Who knows who we are at a registry.

use crate::error::BlobError;
use oci::registry::Credential;

/// Knows who we are where.
pub trait Credentials: Send + Sync {
    /// What to use at a registry (`docker.io`, `host:port`); `None` is anonymous. It may ask programs and files, and is called on a
    /// thread that may wait.
    ///
    /// # Errors
    /// When it cannot be found out; the message must hold no secret.
    fn of(&self, registry: &str) -> Result<Option<Credential>, BlobError>;
}

/// Anonymous everywhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCredentials;

impl Credentials for NoCredentials {
    fn of(&self, _registry: &str) -> Result<Option<Credential>, BlobError> {
        Ok(None)
    }
}
