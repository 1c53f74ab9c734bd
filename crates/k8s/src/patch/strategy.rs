//! Strategic merge patch: a merge patch that knows which lists merge, and by which key.
//!
//! Source: apimachinery `pkg/util/strategicpatch`.

use super::lists::{self, ListPatch};
use super::unprocessable;
use crate::apply::shape::Shape;
use crate::error::ApiError;
use crate::object::Value;
use crate::schema::Message;
use serde_json::Map;

pub(super) const DIRECTIVE: &str = "$patch";
const RETAIN: &str = "$retainKeys";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";
const ORDER: &str = "$setElementOrder/";

/// The live object with a strategic merge patch laid over it.
///
/// # Errors
/// 400 for a directive of the wrong form, 422 for a patch that does not fit the schema (a list item without its merge
/// key).
pub fn strategic(schema: &'static Message, live: &Value, patch: &Value) -> Result<Value, ApiError> {
    let patch = patch.as_object().ok_or_else(|| ApiError::bad_request("a strategic merge patch is a map"))?;
    let live = live.as_object().cloned().unwrap_or_default();
    merge_map(Shape::of(schema), live, patch).map(Value::Object)
}

fn malformed(what: &str) -> ApiError {
    ApiError::bad_request(format!("invalid patch format of {what}"))
}

/// Merges one map; directives of the patch are obeyed and never stored.
pub(super) fn merge_map(shape: Shape, live: Map<String, Value>, patch: &Map<String, Value>) -> Result<Map<String, Value>, ApiError> {
    if let Some(directive) = patch.get(DIRECTIVE) {
        match directive.as_str() {
            Some("replace") => return Ok(without_directives(patch)),
            Some("delete") => return Ok(Map::new()),
            Some("merge") => {}
            _ => return Err(ApiError::bad_request(format!("unknown patch type found: {directive}"))),
        }
    }
    let mut live = live;
    retain(&mut live, patch)?;
    for (name, value) in patch {
        let order = patch.get(&format!("{ORDER}{name}"));
        if name == DIRECTIVE || name == RETAIN {
            continue;
        } else if let Some(list) = name.strip_prefix(DELETE_FROM) {
            let gone = value.as_array().ok_or_else(|| malformed("$deleteFromPrimitiveList"))?;
            if let Some(Value::Array(items)) = live.get_mut(list) {
                items.retain(|item| !gone.contains(item));
            }
        } else if let Some(list) = name.strip_prefix(ORDER) {
            order_only(shape, &mut live, patch, list, value)?;
        } else if value.is_null() {
            live.remove(name);
        } else {
            let member = shape.member(name).shape;
            let merged = merge_value(member, live.remove(name), value, order)?;
            live.insert(name.clone(), merged);
        }
    }
    Ok(live)
}

fn merge_value(shape: Shape, live: Option<Value>, patch: &Value, order: Option<&Value>) -> Result<Value, ApiError> {
    match (live, patch) {
        (Some(Value::Object(live)), Value::Object(patch)) => merge_map(shape, live, patch).map(Value::Object),
        (Some(Value::Array(live)), Value::Array(items)) if shape.patch.merge => {
            lists::merge(&ListPatch { shape, items, order: order.map(as_list).transpose()? }, live).map(Value::Array)
        }
        (None, Value::Array(items)) if shape.patch.merge => {
            lists::merge(&ListPatch { shape, items, order: order.map(as_list).transpose()? }, Vec::new()).map(Value::Array)
        }
        (None, Value::Object(patch)) => merge_map(shape, Map::new(), patch).map(Value::Object),
        (_, patch) => Ok(stripped(patch)),
    }
}

fn as_list(order: &Value) -> Result<&[Value], ApiError> {
    order.as_array().map(Vec::as_slice).ok_or_else(|| malformed("$setElementOrder list"))
}

// An order without items to merge: only the places of what is there change.
fn order_only(shape: Shape, live: &mut Map<String, Value>, patch: &Map<String, Value>, list: &str, order: &Value) -> Result<(), ApiError> {
    let order = as_list(order)?;
    if patch.contains_key(list) {
        return Ok(());
    }
    if let Some(Value::Array(items)) = live.get_mut(list) {
        let shape = shape.member(list).shape;
        let merged = lists::merge(&ListPatch { shape, items: &[], order: Some(order) }, std::mem::take(items))?;
        *items = merged;
    }
    Ok(())
}

fn retain(live: &mut Map<String, Value>, patch: &Map<String, Value>) -> Result<(), ApiError> {
    let Some(kept) = patch.get(RETAIN) else { return Ok(()) };
    let kept = kept.as_array().ok_or_else(|| malformed("retainKeys"))?;
    let is_kept = |name: &str| kept.iter().any(|key| key.as_str() == Some(name));
    let named = patch.iter().filter(|(name, value)| !name.starts_with('$') && !value.is_null());
    for (name, _) in named {
        if !is_kept(name) {
            return Err(malformed(&format!("retainKeys: {name:?} is patched and not retained")));
        }
    }
    live.retain(|name, _| is_kept(name));
    Ok(())
}

fn without_directives(patch: &Map<String, Value>) -> Map<String, Value> {
    let own = |name: &str| name == DIRECTIVE || name == RETAIN || name.starts_with(DELETE_FROM) || name.starts_with(ORDER);
    patch.iter().filter(|(name, value)| !own(name) && !value.is_null()).map(|(name, value)| (name.clone(), stripped(value))).collect()
}

fn stripped(value: &Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(without_directives(members)),
        Value::Array(items) => items.iter().filter(|item| item.get(DIRECTIVE).is_none()).map(stripped).collect(),
        other => other.clone(),
    }
}

/// The key of an item, or why the patch cannot be applied.
pub(super) fn key_of<'a>(item: &'a Map<String, Value>, key: &str) -> Result<&'a Value, ApiError> {
    item.get(key).ok_or_else(|| unprocessable(format!("map: {} does not contain declared merge key: {key}", Value::Object(item.clone()))))
}
