//! Lists that merge under a strategic merge patch: by key or as sets, and in which order.

use super::strategy::{DIRECTIVE, key_of, merge_map};
use super::unprocessable;
use crate::apply::shape::Shape;
use crate::error::ApiError;
use crate::object::Value;

/// One list's part of a patch.
pub(super) struct ListPatch<'a> {
    pub(super) shape: Shape,
    pub(super) items: &'a [Value],
    /// `$setElementOrder`, where it is given.
    pub(super) order: Option<&'a [Value]>,
}

/// Merges a patch's items into a list and puts the list in order.
pub(super) fn merge(patch: &ListPatch<'_>, live: Vec<Value>) -> Result<Vec<Value>, ApiError> {
    let scalars = live.iter().chain(patch.items).all(|item| !item.is_object() && !item.is_array());
    if live.iter().chain(patch.items).any(Value::is_array) {
        return Err(unprocessable("lists of lists cannot be merged"));
    }
    let key = if scalars { None } else { Some(key(patch.shape)?) };
    if !scalars && live.iter().chain(patch.items).any(|item| !item.is_object()) {
        return Err(unprocessable("a list cannot hold both maps and scalars"));
    }
    let (merged, before) = match key {
        Some(key) => merge_maps(patch, live, key)?,
        None => {
            let before = live.clone();
            let mut all: Vec<Value> = Vec::with_capacity(live.len() + patch.items.len());
            for item in live.into_iter().chain(patch.items.iter().cloned()) {
                if !all.contains(&item) {
                    all.push(item);
                }
            }
            (all, before)
        }
    };
    let order = match patch.order {
        Some(order) => {
            check_order(patch.items, order, key)?;
            order
        }
        None => patch.items,
    };
    Ok(ordered(merged, order, &before, key))
}

fn key(shape: Shape) -> Result<&'static str, ApiError> {
    shape.patch.key.ok_or_else(|| unprocessable("cannot merge lists of maps without a merge key"))
}

// The merged items, and the order that counts as the live one. As in the original, an item that is added takes the place
// of one that is deleted in that order, so that it comes after the items that stay.
fn merge_maps(patch: &ListPatch<'_>, mut live: Vec<Value>, key: &str) -> Result<(Vec<Value>, Vec<Value>), ApiError> {
    let length = live.len();
    let mut plain = Vec::with_capacity(patch.items.len());
    let mut replaced = false;
    for item in patch.items.iter().filter_map(Value::as_object) {
        match item.get(DIRECTIVE).map(Value::as_str) {
            None => plain.push(item),
            Some(Some("delete")) => {
                let gone = key_of(item, key)?;
                live.retain(|item| item.get(key) != Some(gone));
            }
            Some(Some("replace")) => replaced = true,
            Some(Some("merge")) => return Err(ApiError::bad_request("merging lists cannot yet be specified in the patch")),
            Some(other) => return Err(ApiError::bad_request(format!("unknown patch type found: {}", other.unwrap_or("no text")))),
        }
    }
    let before_delete = if replaced { std::mem::take(&mut live) } else { Vec::new() };
    for item in plain {
        let wanted = key_of(item, key)?;
        match live.iter_mut().find(|there| there.get(key) == Some(wanted)) {
            Some(there) => {
                let members = there.as_object().cloned().unwrap_or_default();
                *there = Value::Object(merge_map(patch.shape.item(), members, item)?);
            }
            None => live.push(Value::Object(merge_map(patch.shape.item(), serde_json::Map::new(), item)?)),
        }
    }
    let before = if replaced { before_delete } else { live.iter().take(length).cloned().collect() };
    Ok((live, before))
}

fn name<'a>(item: &'a Value, key: Option<&str>) -> &'a Value {
    key.and_then(|key| item.get(key)).unwrap_or(item)
}

fn place(order: &[Value], item: &Value, key: Option<&str>) -> Option<usize> {
    order.iter().position(|there| name(there, key) == name(item, key))
}

// What is patched must be named by the order, and in its order.
fn check_order(items: &[Value], order: &[Value], key: Option<&str>) -> Result<(), ApiError> {
    let mut last = 0;
    for item in items.iter().filter(|item| item.get(DIRECTIVE).is_none()) {
        let at = place(order, item, key).filter(|at| *at >= last);
        last = at.ok_or_else(|| ApiError::bad_request("the order in patch list doesn't match $setElementOrder list"))?;
    }
    Ok(())
}

// Items named by the patch stand in its order; the others keep the live order and go before the first named item
// that followed them there.
fn ordered(merged: Vec<Value>, order: &[Value], before: &[Value], key: Option<&str>) -> Vec<Value> {
    let (mut named, mut others): (Vec<Value>, Vec<Value>) = merged.into_iter().partition(|item| place(order, item, key).is_some());
    named.sort_by_key(|item| place(order, item, key));
    others.sort_by_key(|item| place(before, item, key));
    let mut out = Vec::with_capacity(named.len() + others.len());
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    loop {
        let first = match (others.peek(), named.peek()) {
            (Some(other), Some(name)) => match (place(before, other, key), place(before, name, key)) {
                (Some(other), Some(name)) => other < name,
                _ => false,
            },
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => return out,
        };
        out.extend(if first { others.next() } else { named.next() });
    }
}
