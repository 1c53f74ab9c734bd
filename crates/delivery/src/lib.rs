//! Stages, plan, rollout, rollback, records: from manifests to objects that serve, or back.

pub mod manifests;
pub mod order;
pub mod progress;
pub mod rollout;
pub mod settings;
pub mod status;
pub mod world;
pub mod yaml;

pub use progress::{Change, Listener, Progress};
