//! Finds the Go modules and runs the reader of their types.

use super::{GROUPS, MODULES, SHARED};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folders of the modules, in their order; `download` asks Go to get them.
pub fn modules(download: bool) -> Result<Vec<PathBuf>, String> {
    let cache = go(&["env", "GOMODCACHE"], None)?;
    MODULES
        .iter()
        .map(|(name, version)| {
            let named = format!("{name}@{version}");
            if download {
                go(&["mod", "download", "-json", &named], None)?;
            }
            let folder = Path::new(cache.trim()).join(&named);
            if folder.is_dir() { Ok(folder) } else { Err(format!("the Go module {named} (`go mod download {named}`)")) }
        })
        .collect()
}

/// The facts as the Go program prints them.
pub fn read(program: &Path, folders: &[PathBuf]) -> Result<Vec<Value>, String> {
    let [api, machinery] = folders else { return Err("two modules are needed".to_owned()) };
    let mut args = vec!["run".to_owned(), program.display().to_string()];
    args.extend(GROUPS.iter().map(|group| format!("k8s.io/api/{group}/v1={}/{group}/v1", api.display())));
    for path in SHARED {
        let below = path.strip_prefix("k8s.io/apimachinery/").unwrap_or(path);
        args.push(format!("{path}={}/{below}", machinery.display()));
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let printed = go(&args, program.parent())?;
    serde_json::from_str(&printed).map_err(|error| format!("the facts are not JSON: {error}"))
}

fn go(args: &[&str], folder: Option<&Path>) -> Result<String, String> {
    let mut command = Command::new("go");
    command.args(args).env("GO111MODULE", "on").current_dir(folder.unwrap_or(&std::env::temp_dir()));
    let output = command.output().map_err(|error| format!("`go` (needed to read the Kubernetes types): {error}"))?;
    if !output.status.success() {
        return Err(format!("go {}: {}", args.first().unwrap_or(&""), String::from_utf8_lossy(&output.stderr).trim()));
    }
    String::from_utf8(output.stdout).map_err(|_| "go printed no UTF-8".to_owned())
}
