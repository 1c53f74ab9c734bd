//! What the node asks of the image store.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

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

/// What a container asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRequest {
    /// As the object names it.
    pub image: String,
    /// When to ask the registry.
    pub policy: PullPolicy,
    /// The pod's `imagePullSecrets` that can be used, in order.
    pub secrets: Vec<PullSecret>,
}

/// Which of docker's two forms a pull secret has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretForm {
    /// `kubernetes.io/dockerconfigjson`: a whole `config.json`.
    Config,
    /// `kubernetes.io/dockercfg`: only what stands under `auths` there.
    Auths,
}

/// A pull secret's content.
#[derive(Clone, PartialEq, Eq)]
pub struct PullSecret {
    /// Of the Secret, in the pod's namespace.
    pub name: String,
    /// Its form.
    pub form: SecretForm,
    /// A JSON object.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for PullSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PullSecret").field("name", &self.name).field("form", &self.form).finish_non_exhaustive()
    }
}

/// Whether an image can be had without asking a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It is here, and the policy is content with it.
    Here(Box<ResolvedImage>),
    /// It is to be pulled.
    Elsewhere,
}

/// What a pull brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PulledImage {
    /// The image.
    pub image: ResolvedImage,
    /// How long asking and fetching took.
    pub took: Duration,
    /// The same with the time for which it waited for other pulls.
    pub in_all: Duration,
    /// Bytes of its layers.
    pub bytes: u64,
}

/// An image ready to run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedImage {
    /// Config digest: `sha256:...`.
    pub image_id: String,
    /// `imageID` of a status: `REPOSITORY@sha256:...` of what came from a registry, else the config digest.
    pub reference: String,
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
    /// Whether the image is here; asks no registry.
    async fn find(&self, request: &ImageRequest) -> Result<Found, ImageError>;
    /// Asks the registry and brings in what is not here; may take minutes, and goes on when nobody waits for it any more.
    async fn pull(&self, request: &ImageRequest) -> Result<PulledImage, ImageError>;
    /// An image by what a status calls it, whoever may use it.
    async fn local(&self, reference: &str) -> Result<ResolvedImage, ImageError>;
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
