//! What the API server fills in before it stores an object. Source: kubernetes `pkg/apis/*/v1/defaults.go`.

use crate::Value;

/// Of kinds that have no defaults.
pub fn nothing(_object: &mut Value) {}
