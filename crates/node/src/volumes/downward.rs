//! `downwardAPI`: the pod's own fields as files.

use super::{Context, File, Files, Plan, config_map};
use crate::container::refs;
use k8s::{Fields, Value};

pub(super) fn plan(context: &Context<'_>, _: &str, source: &Value) -> Result<Plan, String> {
    let files = files(context, source, config_map::default_mode(source))?;
    Ok(Plan::Files { memory: true, files, tokens: Vec::new() })
}

pub(super) fn files(context: &Context<'_>, source: &Value, default: u32) -> Result<Files, String> {
    let mut files = Files::new();
    for item in source.items("items") {
        let text = match (item.at("fieldRef"), item.at("resourceFieldRef")) {
            (Some(field), _) => refs::field(context.pod, field.text("fieldPath"), context.node, context.ip)?,
            (None, Some(resource)) => {
                let name = resource.text("containerName");
                let container = context.pod.container(name).ok_or_else(|| format!("container {name} not found"))?;
                refs::resource(context.pod.raw(container), resource, context.node)?
            }
            (None, None) => return Err(format!("downwardAPI item {} has no source", item.text("path"))),
        };
        let mode = config_map::mode(item.int("mode")).unwrap_or(default);
        files.insert(config_map::path(item.text("path"))?, File { content: text.into_bytes(), mode, owner: None });
    }
    Ok(files)
}
