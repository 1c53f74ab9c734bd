//! Lints files: finds them, reads them, gives what the rules find.

use base::{Finding, Problem, ProblemKind, Severity};
use linter::Options;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A Dockerfile with its text.
pub struct Source {
    /// As the user named it, or found below what the user named.
    pub name: String,
    /// Where it is; `None` for standard input.
    pub path: Option<PathBuf>,
    /// Its text.
    pub text: String,
}

/// Files larger than this are no Dockerfiles.
const MOST_BYTES: u64 = 4 << 20;
/// Folders deeper than this are not searched.
const MOST_DEPTH: usize = 32;

/// The Dockerfiles that paths name: files themselves, folders with all below them, `-` for standard input.
///
/// # Errors
/// What cannot be read.
pub fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, Problem> {
    let mut sources = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let mut text = String::new();
            let read = std::io::stdin().lock().take(MOST_BYTES).read_to_string(&mut text);
            read.map_err(|error| Problem::new(ProblemKind::Usage, format!("cannot read standard input: {error}")))?;
            sources.push(Source { name: "-".to_owned(), path: None, text });
        } else if path.is_dir() {
            let mut found = Vec::new();
            search(path, 0, &mut found);
            found.sort();
            for path in found {
                sources.push(source(path)?);
            }
        } else {
            sources.push(source(path.clone())?);
        }
    }
    Ok(sources)
}

fn source(path: PathBuf) -> Result<Source, Problem> {
    let wrong = |error: &dyn std::fmt::Display| Problem::new(ProblemKind::Usage, format!("cannot lint `{}`: {error}", path.display()));
    let size = std::fs::metadata(&path).map_err(|error| wrong(&error))?.len();
    if size > MOST_BYTES {
        return Err(wrong(&"it is too large for a Dockerfile"));
    }
    let bytes = std::fs::read(&path).map_err(|error| wrong(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong(&"it is not UTF-8"))?;
    let name = path.strip_prefix("./").unwrap_or(&path).display().to_string();
    Ok(Source { name, path: Some(path), text })
}

fn search(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (Ok(kind), name) = (entry.file_type(), entry.file_name()) else { continue };
        let name = name.to_string_lossy();
        if kind.is_dir() {
            let is_source = !matches!(&*name, ".git" | "node_modules" | "target" | ".venv");
            if is_source && depth < MOST_DEPTH {
                search(&entry.path(), depth + 1, found);
            }
        } else if kind.is_file() && is_dockerfile(&name) {
            found.push(entry.path());
        }
    }
}

/// Whether a file of this name is a Dockerfile by its name.
pub fn is_dockerfile(name: &str) -> bool {
    let stem = |name: &str| matches!(name.to_ascii_lowercase().as_str(), "dockerfile" | "containerfile");
    let (first, last) = (name.split('.').next().unwrap_or_default(), name.rsplit('.').next().unwrap_or_default());
    !name.ends_with(".dockerignore") && (stem(first) || (name.contains('.') && stem(last)))
}

/// What the rules find in all of them, in their order.
pub fn lint(sources: &[Source], options: &Options) -> Vec<Finding> {
    sources.iter().flat_map(|source| linter::lint(&source.name, &source.text, options)).collect()
}

/// How many findings there are of each weight, in words.
pub fn summary(findings: &[Finding], files: usize) -> String {
    let count = |severity: Severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let told: Vec<String> = [
        (Severity::Error, "error", "errors"),
        (Severity::Warning, "warning", "warnings"),
        (Severity::Info, "info", "infos"),
        (Severity::Style, "style", "style"),
    ]
    .into_iter()
    .filter(|(severity, ..)| count(*severity) > 0)
    .map(|(severity, one, more)| format!("{} {}", count(severity), if count(severity) == 1 { one } else { more }))
    .collect();
    let files = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
    if told.is_empty() { format!("{files}, nothing found") } else { format!("{files}, {}", told.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_dockerfiles_by_name() {
        for name in ["Dockerfile", "dockerfile", "Dockerfile.dev", "app.Dockerfile", "Containerfile"] {
            assert!(is_dockerfile(name), "{name}");
        }
        for name in ["Dockerfile.dockerignore", "docker", "mydockerfile", "x.rs"] {
            assert!(!is_dockerfile(name), "{name}");
        }
    }
}
