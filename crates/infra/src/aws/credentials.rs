//! Who we are at a cloud. Where it comes from - the environment, files, a helper - is for the caller; nothing here is ever printed.

use crate::failure::Failure;
use async_trait::async_trait;
use base::{Secret, Timestamp};

/// An access key with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The access key's id; not secret.
    pub access_key: String,
    /// The access key's secret.
    pub secret: Secret,
    /// Of temporary credentials.
    pub session: Option<Secret>,
    /// Until when they hold, where that is known.
    pub expires: Option<Timestamp>,
}

/// Where credentials come from.
#[async_trait]
pub trait Source: Send + Sync {
    /// The credentials to sign with; `renew` says that those given before are no longer taken.
    ///
    /// # Errors
    /// When there are none.
    async fn credentials(&self, renew: bool) -> Result<Credentials, Failure>;
}

/// Credentials that are at hand and never change.
#[derive(Clone, Debug)]
pub struct Held(pub Credentials);

#[async_trait]
impl Source for Held {
    async fn credentials(&self, _: bool) -> Result<Credentials, Failure> {
        Ok(self.0.clone())
    }
}
