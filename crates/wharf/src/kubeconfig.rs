//! Adds the engine's context to the user's own kubeconfig, and touches nothing else in it.

use base::{Problem, ProblemKind, files};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Puts cluster, user and context of `ours` into the user's kubeconfig; entries of the same names are replaced. The
/// current context stays as it is, and stays unset when it was.
///
/// # Errors
/// When the file cannot be read, understood or written; it is then as it was.
pub fn merge(ours: &[u8]) -> Result<PathBuf, Problem> {
    let path = files()?.remove(0);
    let broken =
        |error: &dyn std::fmt::Display| Problem::new(ProblemKind::Usage, format!("`{}` is no kubeconfig: {error}", path.display()));
    let host = |error: files::FileError| Problem::new(ProblemKind::Host, error.to_string());
    let ours: Value = read(ours).map_err(|error| broken(&error))?;
    let theirs = files::read_if_exists(&path).map_err(host)?;
    let theirs = theirs.filter(|content| !content.iter().all(u8::is_ascii_whitespace));
    let mut merged = match theirs {
        Some(content) => read(&content).map_err(|error| broken(&error))?,
        None => json!({"apiVersion": "v1", "kind": "Config"}),
    };
    if !merged.is_object() {
        return Err(broken(&"it holds no map"));
    }
    for list in ["clusters", "users", "contexts"] {
        replace(&mut merged, &ours, list);
    }
    let text = serde_saphyr::to_string(&merged).map_err(|error| broken(&error))?;
    if let Some(folder) = path.parent() {
        files::make_folder(folder, 0o700).map_err(host)?;
    }
    files::write_atomically(&path, text.as_bytes(), 0o600).map_err(host)?;
    Ok(path)
}

fn replace(merged: &mut Value, ours: &Value, list: &str) {
    let added = ours[list].as_array().cloned().unwrap_or_default();
    let mut all = merged[list].as_array().cloned().unwrap_or_default();
    all.retain(|entry| !added.iter().any(|new| new["name"] == entry["name"]));
    all.extend(added);
    merged[list] = Value::Array(all);
}

fn read(content: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(content).map_err(|error| error.to_string())?;
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

/// The files that kubectl reads, at least one: those of `$KUBECONFIG`, else `~/.kube/config`. It writes to the first.
///
/// # Errors
/// When neither `$KUBECONFIG` nor `$HOME` is set.
pub fn files() -> Result<Vec<PathBuf>, Problem> {
    let listed = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let listed: Vec<PathBuf> = std::env::split_paths(&listed).filter(|path| !path.as_os_str().is_empty()).collect();
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".kube/config"));
    let files = if listed.is_empty() { home.into_iter().collect() } else { listed };
    if files.is_empty() {
        return Err(Problem::new(ProblemKind::Usage, "cannot tell where your kubeconfig is").hint("set $KUBECONFIG"));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_its_own_entries_and_keeps_all_others() {
        let ours = json!({"clusters": [{"name": "wharf", "cluster": {"server": "new"}}], "users": [], "contexts": []});
        let mut theirs =
            json!({"current-context": "prod", "clusters": [{"name": "prod"}, {"name": "wharf", "cluster": {"server": "old"}}]});
        replace(&mut theirs, &ours, "clusters");
        assert_eq!(theirs["clusters"], json!([{"name": "prod"}, {"name": "wharf", "cluster": {"server": "new"}}]));
        assert_eq!(theirs["current-context"], "prod");
    }
}
