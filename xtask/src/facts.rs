//! `xtask facts`: generates the table of the Kubernetes kinds' facts from the published Go types.

mod source;
mod table;

use crate::Command;
use std::path::{Path, PathBuf};

/// The command.
pub const COMMAND: Command =
    Command { name: "facts", about: "generate crates/k8s/src/generated from k8s.io/api (--check: tell whether it is stale)", run };

/// The Go modules that are read.
pub const MODULES: [(&str, &str); 2] = [("k8s.io/api", "v0.36.3"), ("k8s.io/apimachinery", "v0.36.3")];

/// The API groups of the table; each becomes one file.
pub const GROUPS: [&str; 16] = [
    "admissionregistration",
    "apps",
    "authentication",
    "authorization",
    "autoscaling",
    "batch",
    "coordination",
    "core",
    "discovery",
    "events",
    "networking",
    "node",
    "policy",
    "rbac",
    "scheduling",
    "storage",
];

/// Go's import paths in apimachinery that the groups use.
pub const SHARED: [&str; 3] = ["k8s.io/apimachinery/pkg/apis/meta/v1", "k8s.io/apimachinery/pkg/runtime", "k8s.io/apimachinery/pkg/types"];

fn run(args: &[String]) -> Result<(), String> {
    let check = match args {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => return Err("usage: xtask facts [--check]".to_owned()),
    };
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no parent folder")?;
    let folders = match source::modules(!check) {
        Ok(folders) => folders,
        Err(missing) if check => {
            println!("skipped: {missing}");
            return Ok(());
        }
        Err(missing) => return Err(missing),
    };
    let messages = source::read(&top.join("xtask/facts/main.go"), &folders)?;
    let files = table::files(&messages)?;
    if check { compare(top, &files) } else { write(top, &files) }
}

/// A generated file: its path below the workspace, and its text.
pub type Generated = (PathBuf, String);

fn compare(top: &Path, files: &[Generated]) -> Result<(), String> {
    let stale: Vec<String> = files
        .iter()
        .filter(|(path, text)| std::fs::read_to_string(top.join(path)).ok().as_ref() != Some(text))
        .map(|(path, _)| path.display().to_string())
        .collect();
    if stale.is_empty() { Ok(()) } else { Err(format!("stale, run `cargo run -p xtask -- facts`: {}", stale.join(", "))) }
}

fn write(top: &Path, files: &[Generated]) -> Result<(), String> {
    for (path, text) in files {
        let path = top.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    println!("{} files", files.len());
    Ok(())
}
