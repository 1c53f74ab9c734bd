//! What the node asks of the image store.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// `imagePullPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PullPolicy {
    /// Ask the registry every time.
    Always,
    /// Only when the image is not here.
    IfNotPresent,
    /// Never.
    Never,
}

impl PullPolicy {
    /// From the field's text; empty is decided as the API defaults it: `Always` for `latest` or no tag.
    pub fn of(text: &str, image: &str) -> Self {
        let last = image.rsplit('/').next().unwrap_or(image);
        match text {
            "Always" => Self::Always,
            "Never" => Self::Never,
            "IfNotPresent" => Self::IfNotPresent,
            _ if last.contains('@') => Self::IfNotPresent,
            _ if last.ends_with(":latest") || !last.contains(':') => Self::Always,
            _ => Self::IfNotPresent,
        }
    }
}

/// An image ready to run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedImage {
    /// Config digest: `sha256:...`.
    pub image_id: String,
    /// Layer trees, the topmost first; kept in place for as long as a pod of this machine uses them.
    pub layers: Vec<PathBuf>,
    /// What the image says of its process.
    pub config: ImageConfig,
}

/// The part of an image's config that a container needs. Source: OCI image specification, config.md.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// `Entrypoint`.
    pub entrypoint: Vec<String>,
    /// `Cmd`.
    pub cmd: Vec<String>,
    /// `Env`, each `KEY=VALUE`.
    pub env: Vec<String>,
    /// `WorkingDir`; empty is `/`.
    pub working_dir: String,
    /// `User`: empty, `uid`, `name`, `uid:gid`, `name:group`.
    pub user: String,
    /// `StopSignal`: a name or number; empty is SIGTERM.
    pub stop_signal: String,
    /// `Volumes`.
    pub volumes: Vec<String>,
    /// `ExposedPorts`, such as `80/tcp`.
    pub exposed: Vec<String>,
}

/// Why an image cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// It is not here, and the policy is `Never`.
    #[error("Container image \"{0}\" is not present with pull policy of Never")]
    NeverPull(String),
    /// It could not be pulled.
    #[error("{0}")]
    Pull(String),
    /// Its name is no reference.
    #[error("{0}")]
    InvalidName(String),
}

impl ImageError {
    /// `state.waiting.reason` as the kubelet writes it.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NeverPull(_) => "ErrImageNeverPull",
            Self::Pull(_) => "ErrImagePull",
            Self::InvalidName(_) => "InvalidImageName",
        }
    }
}

/// Hands out images.
#[async_trait]
pub trait Images: Send + Sync {
    /// The image of this name, pulled where the policy says so.
    async fn resolve(&self, image: &str, policy: PullPolicy) -> Result<ResolvedImage, ImageError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_the_policy_as_the_api_does() {
        for (image, policy) in [
            ("nginx", PullPolicy::Always),
            ("nginx:latest", PullPolicy::Always),
            ("host:5000/nginx", PullPolicy::Always),
            ("nginx:1.2", PullPolicy::IfNotPresent),
            ("localhost/p/n@sha256:aa", PullPolicy::IfNotPresent),
        ] {
            assert_eq!(PullPolicy::of("", image), policy, "{image}");
        }
    }
}
