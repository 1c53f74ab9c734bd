//! Walks over objects by their schema: which fields an intent holds, what differs between two objects, merging and
//! removing. Source: structured-merge-diff `typed`.

use super::fields::FieldSet;
use super::shape::{Form, Shape};
use crate::object::Value;
use serde_json::Map;
use std::collections::BTreeMap;

/// What changed between two objects.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Added or modified.
    pub(crate) set: FieldSet,
    /// No longer there.
    pub(crate) removed: FieldSet,
}

/// How an item of a list is named: `k:{...}` or `v:...`.
pub(crate) fn step_of(form: Form, list: Shape, item: &Value) -> Result<String, String> {
    match form {
        Form::Set => match item {
            Value::Object(_) | Value::Array(_) => Err("a set holds scalars only".to_owned()),
            scalar => Ok(format!("v:{scalar}")),
        },
        Form::Keyed(keys) => keyed_step(keys, list.item(), item),
        Form::Leaf | Form::Map => Err("not a list of its items".to_owned()),
    }
}

fn keyed_step(keys: &[&str], item_shape: Shape, item: &Value) -> Result<String, String> {
    let members = item.as_object().ok_or("associative list with keys has an element that is no map")?;
    let mut named = Map::new();
    for &key in keys {
        let given = members.get(key).filter(|value| !value.is_null()).cloned();
        let by_default = || item_shape.field(key).and_then(|field| field.default).and_then(|text| serde_json::from_str(text).ok());
        let value = given.or_else(by_default).ok_or_else(|| {
            format!("associative list with keys has an element that omits key field {key:?} (and doesn't have default value)")
        })?;
        named.insert(key.to_owned(), value);
    }
    Ok(format!("k:{}", Value::Object(named)))
}

/// The items of a list by their names, first of equals; the second value is true when names were unique and whole.
fn by_step(form: Form, list: Shape, items: &[Value]) -> (Vec<(String, &Value)>, bool) {
    let mut seen = std::collections::HashSet::new();
    let mut named = Vec::with_capacity(items.len());
    let mut clean = true;
    for item in items {
        match step_of(form, list, item) {
            Ok(step) if seen.insert(step.clone()) => named.push((step, item)),
            _ => clean = false,
        }
    }
    (named, clean)
}

/// Where a walk is, for messages only.
#[derive(Clone, Copy)]
pub(crate) struct Trail<'a>(Option<(&'a Trail<'a>, &'a str)>);

impl Trail<'_> {
    pub(crate) const ROOT: Self = Self(None);
}

impl std::fmt::Display for Trail<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |(above, name)| write!(f, "{above}.{name}"))
    }
}

/// The fields that an intent holds.
pub(crate) fn fields_of(shape: Shape, value: &Value, trail: Trail<'_>) -> Result<FieldSet, String> {
    match (shape.form(value), value) {
        (Form::Map, Value::Object(members)) => {
            let mut set = FieldSet::default();
            for (name, value) in members {
                let member = shape.member(name);
                let mut below = fields_of(member.shape, value, Trail(Some((&trail, name))))?;
                let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                if empty || !member.named {
                    below.mark();
                }
                set.add(format!("f:{name}"), below);
            }
            Ok(set)
        }
        (form @ (Form::Set | Form::Keyed(_)), Value::Array(items)) => {
            let mut set = FieldSet::default();
            for item in items {
                let step = step_of(form, shape, item).map_err(|why| format!("{trail}: {why}"))?;
                if set.child(&step).is_some() {
                    return Err(format!("{trail}: duplicate entries for key [{}]", step.get(2..).unwrap_or_default()));
                }
                let mut below = if form == Form::Set { FieldSet::leaf() } else { fields_of(shape.item(), item, trail)? };
                below.mark();
                set.add(step, below);
            }
            Ok(set)
        }
        _ => Ok(FieldSet::leaf()),
    }
}

/// What differs between an old value and a new one.
pub(crate) fn compare(shape: Shape, old: Option<&Value>, new: Option<&Value>, out: &mut Changes) {
    if old == new {
        return;
    }
    let form = [new, old].into_iter().flatten().find(|value| !value.is_null()).map_or(Form::Leaf, |value| shape.form(value));
    let same_form = [old, new].into_iter().flatten().all(|value| value.is_null() || shape.form(value) == form);
    let empty = |value: Option<&Value>| value.is_none_or(|value| value.is_null() || is_empty(value));
    if form == Form::Leaf || !same_form || empty(old) && empty(new) {
        match new {
            Some(_) => out.set.mark(),
            None => out.removed.mark(),
        }
        return;
    }
    match form {
        Form::Map => compare_maps(shape, old, new, out),
        _ => compare_lists(form, shape, old, new, out),
    }
    if old.is_none() {
        out.set.mark();
    } else if new.is_none() {
        out.removed.mark();
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty)
}

fn compare_maps(shape: Shape, old: Option<&Value>, new: Option<&Value>, out: &mut Changes) {
    let (olds, news) = (old.and_then(Value::as_object), new.and_then(Value::as_object));
    let in_old = olds.into_iter().flat_map(Map::keys);
    let only_new = news.into_iter().flat_map(Map::keys).filter(|name| olds.is_none_or(|olds| !olds.contains_key(*name)));
    for name in in_old.chain(only_new) {
        let (before, after) = (olds.and_then(|olds| olds.get(name)), news.and_then(|news| news.get(name)));
        if before == after {
            continue;
        }
        let member = shape.member(name);
        // A missing side reads as the zero value only inside a struct that is itself there.
        let before = before.or_else(|| member.zero.as_ref().filter(|_| old.is_some_and(|old| !old.is_null())));
        let after = after.or_else(|| member.zero.as_ref().filter(|_| new.is_some_and(|new| !new.is_null())));
        descend(member.shape, format!("f:{name}"), before, after, out);
    }
}

fn descend(shape: Shape, step: String, old: Option<&Value>, new: Option<&Value>, out: &mut Changes) {
    let mut below = Changes::default();
    compare(shape, old, new, &mut below);
    if !below.removed.is_empty() {
        out.removed.add(step.clone(), below.removed);
    }
    out.set.add(step, below.set);
}

fn compare_lists(form: Form, shape: Shape, old: Option<&Value>, new: Option<&Value>, out: &mut Changes) {
    let (before, clean_before) = by_step(form, shape, old.and_then(Value::as_array).map_or(&[], Vec::as_slice));
    let (after, clean_after) = by_step(form, shape, new.and_then(Value::as_array).map_or(&[], Vec::as_slice));
    let olds: BTreeMap<&str, &Value> = before.iter().map(|(step, item)| (step.as_str(), *item)).collect();
    let news: BTreeMap<&str, &Value> = after.iter().map(|(step, item)| (step.as_str(), *item)).collect();
    for (step, item) in &olds {
        if !news.contains_key(step) {
            descend(shape.item(), (*step).to_owned(), Some(item), None, out);
        }
    }
    for (step, item) in &news {
        descend(shape.item(), (*step).to_owned(), olds.get(step).copied(), Some(item), out);
    }
    // Doubled names cannot be told apart: the list as a whole changed.
    if !(clean_before && clean_after) {
        out.set.mark();
    }
}

/// An intent laid over what is there.
pub(crate) fn merge(shape: Shape, live: Option<&Value>, intent: &Value) -> Result<Value, String> {
    match (shape.form(intent), live, intent) {
        (Form::Map, live, Value::Object(wanted)) => {
            let mut merged = live.and_then(Value::as_object).cloned().unwrap_or_default();
            for (name, value) in wanted {
                if value.is_null() {
                    merged.remove(name);
                    continue;
                }
                let below = merge(shape.member(name).shape, merged.get(name), value)?;
                merged.insert(name.clone(), below);
            }
            Ok(Value::Object(merged))
        }
        (form @ (Form::Set | Form::Keyed(_)), live, Value::Array(wanted)) => {
            let live = live.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            merge_lists(form, shape, live, wanted)
        }
        _ => Ok(intent.clone()),
    }
}

// The intent's order holds among its own items; items it does not name keep their places between them.
fn merge_lists(form: Form, shape: Shape, live: &[Value], wanted: &[Value]) -> Result<Value, String> {
    let named = |items: &[Value]| items.iter().map(|item| step_of(form, shape, item)).collect::<Result<Vec<_>, _>>();
    let right_steps = named(wanted)?;
    let left: Vec<(String, &Value)> =
        live.iter().enumerate().map(|(at, item)| (step_of(form, shape, item).unwrap_or_else(|_| format!("i:{at}")), item)).collect();
    let lefts: BTreeMap<&str, &Value> = left.iter().rev().map(|(step, item)| (step.as_str(), *item)).collect();
    let rights: std::collections::BTreeSet<&str> = right_steps.iter().map(String::as_str).collect();
    let mut shared = right_steps.iter().filter(|step| lefts.contains_key(step.as_str())).peekable();
    let (mut merged, mut at_left, mut at_right) = (Vec::with_capacity(wanted.len() + live.len()), 0, 0);
    loop {
        if let Some((step, item)) = left.get(at_left) {
            let is_shared = rights.contains(step.as_str());
            if !is_shared {
                merged.push((*item).clone());
                at_left += 1;
                continue;
            }
            if shared.peek().is_none_or(|next| *next != step) {
                at_left += 1;
                continue;
            }
        }
        let (Some(step), Some(item)) = (right_steps.get(at_right), wanted.get(at_right)) else { break };
        let before = lefts.get(step.as_str()).copied();
        if left.get(at_left).is_some_and(|(left_step, _)| left_step == step) {
            at_left += 1;
        }
        if shared.peek().is_some_and(|next| *next == step) {
            shared.next();
        }
        merged.push(if form == Form::Set { item.clone() } else { merge(shape.item(), before, item)? });
        at_right += 1;
    }
    Ok(Value::Array(merged))
}

/// The set with every struct field above a member made a member too; what the value does not hold is left out.
pub(crate) fn with_named(shape: Shape, set: &FieldSet, value: &Value) -> FieldSet {
    let mut out = if set.is_member() { FieldSet::leaf() } else { FieldSet::default() };
    match (shape.form(value), value) {
        (Form::Map, Value::Object(members)) => {
            for (step, below) in set.below() {
                let Some((name, value)) = step.strip_prefix("f:").and_then(|name| Some((name, members.get(name)?))) else { continue };
                let member = shape.member(name);
                let mut made = with_named(member.shape, below, value);
                if member.named {
                    made.mark();
                }
                out.add(step.to_owned(), made);
            }
        }
        (form @ (Form::Set | Form::Keyed(_)), Value::Array(items)) if set.below().next().is_some() => {
            for (step, item) in by_step(form, shape, items).0 {
                if let Some(below) = set.child(&step) {
                    out.add(step, with_named(shape.item(), below, item));
                }
            }
        }
        _ => {}
    }
    out
}

/// The value without the members and items that the set holds; a map or list of which nothing is left becomes null, which
/// still stands for its place when the result is compared (see [`drop_nulls`]).
pub(crate) fn remove(shape: Shape, value: &Value, gone: &FieldSet) -> Value {
    match (shape.form(value), value) {
        (Form::Map, Value::Object(members)) => {
            let kept = members.iter().filter_map(|(name, value)| {
                let kept = match gone.child(&format!("f:{name}")) {
                    None => value.clone(),
                    Some(below) if below.is_member() => return None,
                    Some(below) => remove(shape.member(name).shape, value, below),
                };
                Some((name.clone(), kept))
            });
            let kept: Map<String, Value> = kept.collect();
            if kept.is_empty() && !members.is_empty() { Value::Null } else { Value::Object(kept) }
        }
        (form @ (Form::Set | Form::Keyed(_)), Value::Array(items)) => {
            let kept = items.iter().filter_map(|item| match step_of(form, shape, item).ok().and_then(|step| gone.child(&step)) {
                None => Some(item.clone()),
                Some(below) if below.is_member() => None,
                Some(below) => Some(remove(shape.item(), item, below)),
            });
            let kept: Vec<Value> = kept.collect();
            if kept.is_empty() && !items.is_empty() { Value::Null } else { Value::Array(kept) }
        }
        _ => value.clone(),
    }
}

/// Takes the nulls out that removing left.
pub(crate) fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
