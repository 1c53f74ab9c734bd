//! What clients of registries read beside manifests: challenges, tokens, pages of lists, and docker's file of credentials.

pub mod challenge;
mod credential;
pub mod docker_config;
pub mod document;
pub mod link;

pub use base::Secret;
pub use credential::Credential;
