//! Stages, plan, rollout, rollback, records: from manifests to objects that serve, or back.

pub mod manifests;
pub mod settings;
pub mod yaml;
