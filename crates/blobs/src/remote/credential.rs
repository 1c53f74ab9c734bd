//! Who knows who we are at a registry.

use crate::error::BlobError;
use oci::registry::Credential;
use oci::registry::docker_config::DockerConfig;

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

/// Files of docker's kind that were handed over, such as the pull secrets of a pod: the first that knows a registry counts. Their
/// helpers are not asked: what is handed over starts no programs here.
#[derive(Clone, Debug, Default)]
pub struct HandedOver(pub Vec<DockerConfig>);

impl Credentials for HandedOver {
    fn of(&self, registry: &str) -> Result<Option<Credential>, BlobError> {
        for config in &self.0 {
            if let Some(known) = config.stored(registry).map_err(BlobError::Name)? {
                return Ok(Some(known));
            }
        }
        Ok(None)
    }
}
