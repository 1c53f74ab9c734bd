//! Cloud resources of a project, from templates kept with it: planned, made, changed and removed.
//!
//! Nothing here reads the environment or a file, and nothing prints: credentials, templates and settings are handed in, and what happens
//! is told to a [`provider::Watch`].

pub mod aws;
pub mod cloudformation;
pub mod eks;
pub mod failure;
pub mod plan;
pub mod provider;
pub mod sts;
pub mod tagged;

pub use failure::{Failure, FailureKind, InfraError};
pub use plan::{Plan, PlanFile};
pub use provider::{PROVIDERS, Provider};
