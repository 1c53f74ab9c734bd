//! What the API server fills in before it stores an object. Source: kubernetes `pkg/apis/*/v1/defaults.go`.
//!
//! Each function takes an object that was settled ([`crate::fields::settle`]) and may be called again.

pub mod core;
pub mod network;
pub mod pod;
pub mod rbac;
pub mod service;
pub mod storage;
mod volume;
pub mod workload;

use crate::Value;
use crate::object::Fields;
use crate::quantity;

/// Of kinds that have no defaults.
pub fn nothing(_object: &mut Value) {}

/// Sets what is missing, null or empty.
fn fill(value: &mut Value, path: &str, default: impl Into<Value>) {
    if value.at(path).is_none_or(|found| found.as_str() == Some("")) {
        value.set(path, default);
    }
}

/// Sets what is missing or null: for pointers, of which an empty text is a value.
fn fill_pointer(value: &mut Value, path: &str, default: impl Into<Value>) {
    if value.at(path).is_none() {
        value.set(path, default);
    }
}

/// Sets what is missing, null or zero.
fn fill_number(value: &mut Value, path: &str, default: i64) {
    if value.int(path).unwrap_or(0) == 0 {
        value.set(path, default);
    }
}

/// The members of a list that can be changed.
fn each<'a>(value: &'a mut Value, path: &str) -> impl Iterator<Item = &'a mut Value> {
    let found = path.split('.').try_fold(value, |value, name| value.get_mut(name));
    found.and_then(Value::as_array_mut).into_iter().flatten()
}

/// The object at a path, when there is one.
fn inside<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.').try_fold(value, |value, name| value.get_mut(name)).filter(|value| value.is_object())
}

/// Amounts are kept in thousandths, rounded up.
fn round_amounts(value: &mut Value, path: &str) {
    for amount in inside(value, path).and_then(Value::as_object_mut).into_iter().flat_map(serde_json::Map::values_mut) {
        let Some(text) = amount.as_str().filter(|text| text.ends_with(['n', 'u'])) else { continue };
        if let Some(Ok(rounded)) = quantity::parse_milli(text).map(|milli| quantity::canonical(&format!("{milli}m"))) {
            *amount = Value::String(rounded);
        }
    }
}

#[cfg(test)]
mod tests;
