//! What is wrong with an object, in the words of the API server. Source: kubernetes `pkg/apis/*/validation`.
//!
//! Each function takes an object that was settled and has its defaults, and the stored object when it is an update.

mod container;
pub mod core;
pub mod data;
mod errors;
mod handler;
mod meta;
pub mod names;
pub mod network;
mod placement;
pub mod pod;
pub mod quota;
pub mod rbac;
mod resources;
mod security;
pub mod selector;
pub mod service;
pub mod storage;
mod volumes;
pub mod workload;

pub use errors::Errors;

use crate::{Cause, Value};

/// Of kinds of which only the metadata is checked.
pub fn metadata(object: &Value, old: Option<&Value>) -> Vec<Cause> {
    let mut errors = Errors::default();
    meta::check(object, old, names::subdomain, &mut errors);
    errors.finish()
}

#[cfg(test)]
mod tests;
