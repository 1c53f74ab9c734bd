//! What stands below an object, other than its status: one file each.

pub mod binding;
pub mod eviction;
pub mod log;
pub mod scale;
pub mod token_request;
