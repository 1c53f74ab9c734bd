//! JSON patch. Sources: RFC 6902 section 4, RFC 6901; bounds as kube-apiserver has them.

use super::unprocessable;
use crate::error::ApiError;
use crate::object::{Fields, Value};

/// More operations than this are refused (413).
const MOST_OPERATIONS: usize = 10_000;
/// `copy` may make at most this many bytes, over one patch.
const MOST_COPIED: usize = 3 * 1024 * 1024;
/// Deeper documents are not made.
const DEEPEST: usize = 200;

/// The document after all operations of a patch, or none of them.
///
/// # Errors
/// 400 when the patch is no list of operations, 413 when it is too long, 422 when an operation does not fit the
/// document or a `test` fails.
pub fn json_patch(document: &Value, patch: &Value) -> Result<Value, ApiError> {
    let operations = patch.as_array().ok_or_else(|| ApiError::bad_request("a JSON patch is a list of operations"))?;
    if operations.len() > MOST_OPERATIONS {
        let why = format!("The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {}", operations.len());
        return Err(ApiError::new(413, "RequestEntityTooLarge", why));
    }
    let mut patched = document.clone();
    let mut copied = 0;
    for operation in operations {
        perform(&mut patched, operation, &mut copied)?;
    }
    Ok(patched)
}

fn perform(document: &mut Value, operation: &Value, copied: &mut usize) -> Result<(), ApiError> {
    let path = pointer(operation, "path")?;
    match operation.text("op") {
        "add" => add(document, &path, given(operation)?.clone()),
        "replace" => replace(document, &path, given(operation)?.clone()),
        "remove" => remove(document, &path).map(drop),
        "test" => test(document, &path, given(operation)?),
        "move" => {
            let from = pointer(operation, "from")?;
            if path.len() > from.len() && path.starts_with(&from) {
                return Err(unprocessable("a value cannot be moved into itself"));
            }
            let value = remove(document, &from)?;
            add(document, &path, value)
        }
        "copy" => {
            let value = find(document, &pointer(operation, "from")?)?.clone();
            *copied += size(&value);
            if *copied > MOST_COPIED {
                return Err(unprocessable(format!("the copies of this patch make more than {MOST_COPIED} bytes")));
            }
            add(document, &path, value)
        }
        other => Err(ApiError::bad_request(format!("unexpected kind of operation: {other:?}"))),
    }
}

fn given(operation: &Value) -> Result<&Value, ApiError> {
    operation.get("value").ok_or_else(|| ApiError::bad_request(format!("operation {:?} has no value", operation.text("op"))))
}

fn pointer(operation: &Value, member: &str) -> Result<Vec<String>, ApiError> {
    let text = operation.get(member).and_then(Value::as_str);
    let text = text.ok_or_else(|| ApiError::bad_request(format!("operation {:?} has no {member}", operation.text("op"))))?;
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let steps = text.strip_prefix('/').ok_or_else(|| ApiError::bad_request(format!("a path begins with a slash: {text:?}")))?;
    Ok(steps.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect())
}

fn missing(path: &[String]) -> ApiError {
    unprocessable(format!("doc is missing path: \"/{}\"", path.join("/")))
}

fn index(step: &str, most: usize) -> Option<usize> {
    let canonical = step == "0" || !step.starts_with('0') && step.bytes().all(|b| b.is_ascii_digit());
    step.parse().ok().filter(|&at| canonical && at <= most)
}

fn step_into<'a>(value: &'a Value, step: &str) -> Option<&'a Value> {
    match value {
        Value::Object(members) => members.get(step),
        Value::Array(items) => items.get(index(step, items.len())?),
        _ => None,
    }
}

fn find<'a>(document: &'a Value, path: &[String]) -> Result<&'a Value, ApiError> {
    path.iter().try_fold(document, |value, step| step_into(value, step)).ok_or_else(|| missing(path))
}

fn find_mut<'a>(document: &'a mut Value, path: &[String]) -> Result<&'a mut Value, ApiError> {
    let found = path.iter().try_fold(document, |value, step| match value {
        Value::Object(members) => members.get_mut(step),
        Value::Array(items) => {
            let at = index(step, items.len())?;
            items.get_mut(at)
        }
        _ => None,
    });
    found.ok_or_else(|| missing(path))
}

fn add(document: &mut Value, path: &[String], value: Value) -> Result<(), ApiError> {
    if path.len() + depth(&value) > DEEPEST {
        return Err(unprocessable(format!("the document would be nested deeper than {DEEPEST}")));
    }
    let Some((last, parent)) = path.split_last() else {
        *document = value;
        return Ok(());
    };
    match find_mut(document, parent)? {
        Value::Object(members) => drop(members.insert(last.clone(), value)),
        Value::Array(items) => {
            let at = if last == "-" { Some(items.len()) } else { index(last, items.len()) };
            items.insert(at.ok_or_else(|| missing(path))?, value);
        }
        _ => return Err(missing(path)),
    }
    Ok(())
}

fn replace(document: &mut Value, path: &[String], value: Value) -> Result<(), ApiError> {
    if path.len() + depth(&value) > DEEPEST {
        return Err(unprocessable(format!("the document would be nested deeper than {DEEPEST}")));
    }
    *find_mut(document, path)? = value;
    Ok(())
}

fn remove(document: &mut Value, path: &[String]) -> Result<Value, ApiError> {
    let Some((last, parent)) = path.split_last() else { return Ok(document.take()) };
    let removed = match find_mut(document, parent)? {
        Value::Object(members) => members.remove(last),
        Value::Array(items) => index(last, items.len()).filter(|&at| at < items.len()).map(|at| items.remove(at)),
        _ => None,
    };
    removed.ok_or_else(|| missing(path))
}

// As kube-apiserver does, a missing member equals null.
fn test(document: &Value, path: &[String], wanted: &Value) -> Result<(), ApiError> {
    let found = match find(document, path) {
        Ok(found) => found,
        Err(_) if wanted.is_null() && path.split_last().is_some_and(|(_, parent)| find(document, parent).is_ok_and(Value::is_object)) => {
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    if equal(found, wanted) { Ok(()) } else { Err(unprocessable(format!("testing value \"/{}\" failed", path.join("/")))) }
}

// RFC 6902 section 4.6: numbers are equal when their values are.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64() && (a.is_f64() || b.is_f64()),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b))),
        (a, b) => a == b,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        _ => 1,
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::Object(members) => 2 + members.iter().map(|(name, value)| name.len() + 4 + size(value)).sum::<usize>(),
        Value::Array(items) => 2 + items.iter().map(|item| 1 + size(item)).sum::<usize>(),
        Value::String(text) => 2 + text.len(),
        _ => 8,
    }
}
