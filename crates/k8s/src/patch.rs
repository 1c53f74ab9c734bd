//! The three patch kinds that are not apply: JSON patch, merge patch, strategic merge patch.

mod json;
mod lists;
mod merge;
mod strategy;

#[cfg(test)]
mod tests;

pub use json::json_patch;
pub use merge::merge_patch;
pub use strategy::strategic;

use crate::error::ApiError;

/// A patch that is well formed and cannot be applied to this object.
fn unprocessable(why: impl std::fmt::Display) -> ApiError {
    ApiError::new(422, "Invalid", format!("the server rejected our request due to an error in our request: {why}"))
}
