//! What is asked of a build, and what it gives.

use crate::secret::Secret;
use base::Timestamp;
use oci::{DiffId, Digest, ImageId, Reference};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The time that files written by a build have, in seconds since the Unix epoch: 1980-01-01T00:00:01Z.
///
/// A constant, so that a file's time changes no layer. Not 0: zip archives, and with them Python's packages, know no time before 1980.
pub const LAYER_TIME: i64 = 315_532_801;

/// How much all cache mounts of a store may hold by default, in bytes.
pub const CACHE_MOUNT_BYTES: u64 = 20_000_000_000;

/// What is asked of a build.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The folder that COPY and ADD take from.
    pub context: PathBuf,
    /// Paths below the context that are not in it, as if the last lines of `.dockerignore` named them.
    pub leave_out: Vec<String>,
    /// The Dockerfile; errors name it so.
    pub dockerfile: PathBuf,
    /// The stage to build: a name or a number; the last one by default.
    pub target: Option<String>,
    /// `--build-arg`.
    pub args: BTreeMap<String, String>,
    /// Labels of the image beside those of the Dockerfile.
    pub labels: BTreeMap<String, String>,
    /// Names that the image gets.
    pub tags: Vec<Reference>,
    /// `--build-context`: what stands for the name of an image or context.
    pub contexts: BTreeMap<String, NamedContext>,
    /// What the image gives as the time of its making; [`LAYER_TIME`] by default. It changes the image's id and no layer.
    pub epoch: Option<Timestamp>,
    /// Every step is done again.
    pub no_cache: bool,
    /// Images are asked for elsewhere first, also where the store has them.
    pub pull: bool,
    /// `--secret`, by id.
    pub secrets: BTreeMap<String, Secret>,
    /// `--ssh`: the sockets of agents, by id.
    pub agents: BTreeMap<String, PathBuf>,
    /// How much all cache mounts of the store may hold after the build, in bytes; [`CACHE_MOUNT_BYTES`] by default.
    pub cache_mount_bytes: Option<u64>,
    /// Whether a person gets a shell where a `RUN` failed.
    pub shell: bool,
    /// Whether `RUN --network=host` is allowed.
    pub host_network: bool,
}

/// What stands for a name in `FROM` or `COPY --from`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedContext {
    /// A folder; with a file `oci-layout` in it an image.
    Folder(PathBuf),
    /// An archive with one image: an OCI layout or of `docker save`.
    Archive(PathBuf),
    /// An image of the store.
    Image(String),
}

/// What a build gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The image.
    pub image: ImageId,
    /// Its manifest with uncompressed layers.
    pub manifest: Digest,
    /// The keys of its steps, each with the layer that it made, if it made one: what another build can be given as [`crate::Remembered`].
    pub keys: BTreeMap<Digest, Option<DiffId>>,
    /// The steps that make layers, by stage and line.
    pub steps: Vec<StepReport>,
    /// How many of them were cached.
    pub cached: usize,
    /// How long it took.
    pub took: Duration,
    /// What did not stop it, and should be known.
    pub warnings: Vec<String>,
}

/// One step that makes a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepReport {
    /// The stage's index.
    pub stage: usize,
    /// Its name, or its number.
    pub stage_name: String,
    /// Line of the instruction, from 1.
    pub line: u32,
    /// The instruction as one line.
    pub instruction: String,
    /// Whether nothing had to be done.
    pub cached: bool,
    /// Why it was not cached.
    pub reasons: Vec<String>,
    /// How long it took.
    pub took: Duration,
}
