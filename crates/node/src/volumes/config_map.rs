//! `configMap`: the keys of a ConfigMap as files.

use super::{Context, File, Files, Plan};
use crate::container::refs;
use k8s::kinds::CONFIG_MAP;
use k8s::{Fields, Kind, Value};

pub(super) fn plan(context: &Context<'_>, _: &str, source: &Value) -> Result<Plan, String> {
    let files = files(context, CONFIG_MAP, source.text("name"), source, default_mode(source))?;
    Ok(Plan::Files { memory: false, files, tokens: Vec::new() })
}

/// `defaultMode`, 0644 when absent.
pub(super) fn default_mode(source: &Value) -> u32 {
    mode(source.int("defaultMode")).unwrap_or(0o644)
}

pub(super) fn mode(raw: Option<i64>) -> Option<u32> {
    raw.and_then(|mode| u32::try_from(mode).ok()).map(|mode| mode & 0o777)
}

/// Keys of an object as files: all of them, or the `items` at their paths.
pub(super) fn files(context: &Context<'_>, kind: &'static Kind, name: &str, source: &Value, default: u32) -> Result<Files, String> {
    let optional = source.flag("optional");
    let Some(mut data) = refs::data(context.cluster, kind, &context.pod.namespace, name) else {
        return if optional { Ok(Files::new()) } else { Err(format!("{} \"{name}\" not found", kind.singular)) };
    };
    let items = source.items("items");
    if items.is_empty() {
        let file = |(key, content)| (key, File { content, mode: default, owner: None });
        return Ok(data.into_iter().map(file).collect());
    }
    let mut files = Files::new();
    for item in items {
        let key = item.text("key");
        let mode = mode(item.int("mode")).unwrap_or(default);
        match data.get_mut(key) {
            Some(content) => drop(files.insert(path(item.text("path"))?, File { content: content.clone(), mode, owner: None })),
            None if optional => {}
            None => return Err(format!("references non-existent {} key: {key}", if kind.kind == "Secret" { "secret" } else { "config" })),
        }
    }
    Ok(files)
}

/// A path of an item: relative, and inside.
pub(super) fn path(text: &str) -> Result<String, String> {
    let inside = !text.is_empty()
        && !text.starts_with('/')
        && !text.starts_with("..")
        && text.split('/').all(|part| !matches!(part, ".." | "." | ""));
    if inside { Ok(text.to_owned()) } else { Err(format!("path \"{text}\" must be relative and must not contain '..'")) }
}
