//! Whether a registry believes who we say we are.

use super::auth::authorized;
use super::error::{LOG_IN, RemoteError};
use super::exchange::challenges;
use super::{Remote, answer};
use http::StatusCode;
use oci::registry::Credential;

/// What a registry said to a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// It believes it.
    Welcome,
    /// It lets everybody in, and asked for nothing.
    Unasked,
}

impl Remote {
    /// Tries a credential at a registry, without keeping it.
    ///
    /// # Errors
    /// When the registry does not take it, or does not answer.
    pub async fn login(&self, registry: &str, credential: &Credential) -> Result<Greeting, RemoteError> {
        let base = self.inner.base(registry).await?;
        let action = LOG_IN;
        let call = || authorized(base.root(), self.inner.trust(&base.origin), None);
        let reply = self.inner.steadily(&base, action, &call).await?;
        if reply.status.is_success() {
            reply.discard().await;
            return Ok(Greeting::Unasked);
        }
        if reply.status != StatusCode::UNAUTHORIZED {
            return Err(answer::failure(&base, action, "API of registries at `/v2/`", reply).await);
        }
        let asked = challenges(&reply);
        reply.discard().await;
        let header = self.inner.prove(&base, &[], asked, Some(credential.clone()), action).await?;
        let call = || authorized(base.root(), self.inner.trust(&base.origin), Some(&header));
        let reply = self.inner.steadily(&base, action, &call).await?;
        if reply.status.is_success() {
            reply.discard().await;
            return Ok(Greeting::Welcome);
        }
        Err(answer::failure(&base, action, "API of registries at `/v2/`", reply).await)
    }
}
