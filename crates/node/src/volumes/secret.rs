//! `secret`: the keys of a Secret as files, in memory only.

use super::{Context, Plan, config_map};
use k8s::kinds::SECRET;
use k8s::{Fields, Value};

pub(super) fn plan(context: &Context<'_>, _: &str, source: &Value) -> Result<Plan, String> {
    let files = config_map::files(context, SECRET, source.text("secretName"), source, config_map::default_mode(source))?;
    Ok(Plan::Files { memory: true, files, tokens: Vec::new() })
}
