//! What is wrong with an object, in the words of the API server. Source: kubernetes `pkg/apis/*/validation`.

use crate::{Cause, Value};

/// Of kinds of which only the metadata is checked.
pub fn metadata(_object: &Value, _old: Option<&Value>) -> Vec<Cause> {
    Vec::new()
}
