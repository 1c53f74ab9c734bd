//! `emptyDir`: a folder that lives as long as the pod, on disk or in memory.

use super::{Context, Plan, tmpfs};
use k8s::{Fields, Value, quantity};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub(super) fn plan(_: &Context<'_>, _: &str, source: &Value) -> Result<Plan, String> {
    let limit = source.at("sizeLimit").and_then(|limit| limit.as_str().map(str::to_owned).or_else(|| Some(limit.to_string())));
    let limit = limit.and_then(|text| quantity::parse(&text)).and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
    match source.text("medium") {
        "" => Ok(Plan::Folder { memory: None }),
        "Memory" => Ok(Plan::Folder { memory: Some(limit) }),
        other => Err(format!("emptyDir medium {other} is not supported by this node")),
    }
}

/// Makes it; true when it was not there.
pub(super) fn make(folder: &Path, memory: Option<u64>) -> Result<bool, String> {
    let text = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut fresh = !folder.exists();
    super::make_folder(folder)?;
    if let Some(bytes) = memory {
        fresh = tmpfs::ensure(folder, Some(bytes).filter(|bytes| *bytes > 0), 0o777)?;
    }
    if fresh {
        // Any user of the pod may write; the mask of this process does not count.
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o777)).map_err(text)?;
    }
    Ok(fresh)
}
