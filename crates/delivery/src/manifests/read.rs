//! Manifest files as they are written.

use base::{Finding, Place, Problem, ProblemKind, Severity};
use std::path::{Path, PathBuf};

/// A file of manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// As the user would name it.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Larger files are refused.
const LARGEST: usize = 10 * 1024 * 1024;
/// Folders are followed this deep.
const DEEPEST: usize = 16;

/// One text as a file.
pub fn read_text(name: impl Into<String>, text: impl Into<String>) -> Source {
    Source { name: name.into(), text: text.into() }
}

/// The `.yaml`, `.yml` and `.json` files of a folder and its folders, by name; or the one file named. Names are given
/// relative to `root` where they are below it.
///
/// # Errors
/// When something cannot be read, is too large or no UTF-8; all at once.
pub fn read_folder(root: &Path, path: &Path) -> Result<Vec<Source>, Problem> {
    let mut files = Vec::new();
    let mut findings = Vec::new();
    collect(path, 0, &mut files, &mut findings);
    files.sort();
    let mut sources = Vec::new();
    for file in files {
        let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        match text_of(&file) {
            Ok(text) => sources.push(Source { name, text }),
            Err(why) => findings.push(unreadable(&name, why)),
        }
    }
    if findings.is_empty() {
        return Ok(sources);
    }
    let first = findings.first().map(|finding| finding.message.clone()).unwrap_or_default();
    Err(Problem::new(ProblemKind::Usage, first).with_findings(findings))
}

fn unreadable(name: &str, why: String) -> Finding {
    let place = Place { file: Some(name.to_owned()), ..Place::default() };
    Finding::new("manifest-read", Severity::Error, place, why)
}

fn text_of(file: &Path) -> Result<String, String> {
    let content = base::files::read(file).map_err(|error| error.to_string())?;
    if content.len() > LARGEST {
        return Err(format!("{} is larger than {}", file.display(), base::units::show_bytes(LARGEST as u64)));
    }
    String::from_utf8(content).map_err(|_| format!("{} is no UTF-8 text", file.display()))
}

fn collect(path: &Path, depth: usize, files: &mut Vec<PathBuf>, findings: &mut Vec<Finding>) {
    let shown = path.display().to_string();
    if depth > DEEPEST {
        findings.push(unreadable(&shown, format!("folders are nested deeper than {DEEPEST}")));
        return;
    }
    if !path.is_dir() {
        if path.exists() {
            files.push(path.to_owned());
        } else {
            findings.push(unreadable(&shown, format!("there are no manifests at {shown}")));
        }
        return;
    }
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => return findings.push(unreadable(&shown, format!("cannot read {shown}: {error}"))),
    };
    for entry in entries.flatten().map(|entry| entry.path()) {
        let is_manifest = entry.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known));
        let hidden = entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && (is_manifest || entry.is_dir()) {
            collect(&entry, depth + 1, files, findings);
        }
    }
}
