//! Dockerfile to graph to layers to image.
//!
//! [`check()`] reads a Dockerfile whole and says what it needs and what of it is not supported; [`build()`] makes the image. Steps are
//! remembered by what goes into them - never by when - so that equal inputs give equal images.

mod build;
mod caches;
mod check;
mod configure;
mod context;
mod copy;
mod dated;
mod error;
mod event;
mod fetch;
mod ground;
mod ignore;
mod isolate;
mod key;
mod mask;
mod mode;
mod mount;
mod origin;
mod outside;
mod owner;
mod pattern;
mod repository;
mod request;
mod root;
mod run;
mod scope;
mod secret;
mod stage;
mod stubs;
mod take;
mod unpack;
mod verify;
mod writer;

pub use build::build;
pub use caches::{CacheMount, cache_mounts, trim_cache_mounts};
pub use check::{Checked, check};
pub use error::{BuildError, StepError};
pub use event::{BuildEvent, StepId};
pub use ignore::Ignore;
pub use isolate::{Exit, Isolate, IsolateError, Network, RunMount, RunSource, RunStep};
pub use outside::{Bases, CheckOut, Fetch, Fetched, Nowhere, Outside, Remembered, Repositories, Repository, Unavailable, Version};
pub use pattern::{Pattern, Syntax};
pub use request::{Built, CACHE_MOUNT_BYTES, LAYER_TIME, NamedContext, Request, StepReport};
pub use root::{export_folder, export_tar};
pub use secret::{Hidden, Secret};
pub use verify::{Difference, verify};
