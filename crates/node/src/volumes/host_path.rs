//! `hostPath`: a place on the machine, checked as its `type` says. Source: core/v1 `HostPathType`.

use super::{Context, Plan};
use k8s::{Fields, Value};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

pub(super) fn plan(_: &Context<'_>, _: &str, source: &Value) -> Result<Plan, String> {
    let path = PathBuf::from(source.text("path"));
    check(&path, source.text("type"))?;
    Ok(Plan::Place { path, read_only: false, owned: false })
}

/// Makes what the type says is to be made, and checks that it is what the type says.
pub(super) fn check(path: &Path, kind: &str) -> Result<(), String> {
    let text = |error: std::io::Error| format!("{}: {error}", path.display());
    if !path.is_absolute() || path.components().any(|part| part == std::path::Component::ParentDir) {
        return Err(format!("hostPath {} must be absolute and must not contain ..", path.display()));
    }
    match kind {
        "DirectoryOrCreate" if !path.exists() => {
            std::fs::create_dir_all(path).map_err(text)?;
            return std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).map_err(text);
        }
        "FileOrCreate" if !path.exists() => {
            std::fs::File::create_new(path).map_err(text)?;
            return std::fs::set_permissions(path, PermissionsExt::from_mode(0o644)).map_err(text);
        }
        _ => {}
    }
    if kind.is_empty() {
        // Not checked; the runtime needs something to mount, and a folder is what docker makes.
        return if path.exists() { Ok(()) } else { std::fs::create_dir_all(path).map_err(text) };
    }
    let found = std::fs::metadata(path)
        .map_err(|_| format!("hostPath type check failed: {} is not a {}", path.display(), named(kind)))?
        .file_type();
    let right = match kind {
        "Directory" | "DirectoryOrCreate" => found.is_dir(),
        "File" | "FileOrCreate" => found.is_file(),
        "Socket" => found.is_socket(),
        "CharDevice" => found.is_char_device(),
        "BlockDevice" => found.is_block_device(),
        _ => return Err(format!("hostPath type {kind} is not known")),
    };
    if right { Ok(()) } else { Err(format!("hostPath type check failed: {} is not a {}", path.display(), named(kind))) }
}

fn named(kind: &str) -> &str {
    match kind {
        "Directory" | "DirectoryOrCreate" => "directory",
        "File" | "FileOrCreate" => "file",
        "Socket" => "socket file",
        "CharDevice" => "character device",
        "BlockDevice" => "block device",
        other => other,
    }
}
