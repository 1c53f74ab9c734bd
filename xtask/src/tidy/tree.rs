//! The files of the project, read once.

use super::mask::mask;
use std::path::{Path, PathBuf};

/// Folders that hold nothing of ours.
const OUTSIDE: [&str; 8] = ["target", ".git", "node_modules", "dist", "corpus", "artifacts", "proptest-regressions", "__pycache__"];
/// Larger files are data, not sources.
const LARGEST: u64 = 4 << 20;

/// A text file.
pub(super) struct File {
    /// Relative to the project, with slashes.
    pub(super) path: String,
    pub(super) text: String,
    /// Rust only: the text with comments and the insides of literals blanked out, lines kept.
    pub(super) code: String,
    /// Rust only: for each line whether it belongs to tests.
    pub(super) in_test: Vec<bool>,
}

impl File {
    fn new(path: String, text: String) -> Self {
        let rust = path.ends_with(".rs");
        let code = if rust { mask(&text) } else { String::new() };
        let in_test = if rust { test_lines(&path, &code) } else { Vec::new() };
        Self { path, text, code, in_test }
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The room, `wharf` for `crates/wharf/src/x.rs`; only for what is built into it.
    pub(super) fn room(&self) -> Option<&str> {
        let (room, rest) = self.path.strip_prefix("crates/")?.split_once('/')?;
        rest.starts_with("src/").then_some(room)
    }

    /// The lines of code outside tests, numbered from 1.
    pub(super) fn code_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let tested = |index: usize| self.in_test.get(index).copied().unwrap_or(false);
        self.code.lines().enumerate().filter(move |(index, _)| !tested(*index)).map(|(index, line)| (index + 1, line))
    }

    /// Whether a generator wrote it.
    pub(super) fn is_generated(&self) -> bool {
        self.text.lines().take(3).any(|line| line.contains(concat!("@gene", "rated")))
    }
}

/// All files, by path.
pub(super) struct Tree {
    pub(super) root: PathBuf,
    pub(super) files: Vec<File>,
}

impl Tree {
    pub(super) fn read(root: &Path) -> Result<Self, String> {
        let mut files = Vec::new();
        walk(root, root, &mut files)?;
        Ok(Self { root: root.to_path_buf(), ..Self::of(files) })
    }

    pub(super) fn of(files: Vec<(String, String)>) -> Self {
        let mut files: Vec<File> = files.into_iter().map(|(path, text)| File::new(path, text)).collect();
        files.sort_by(|left, right| left.path.cmp(&right.path));
        Self { root: PathBuf::new(), files }
    }

    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    pub(super) fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<(String, String)>) -> Result<(), String> {
    let problem = |error: std::io::Error| format!("cannot read {}: {error}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(problem)? {
        let entry = entry.map_err(problem)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(problem)?);
        let name = entry.file_name().to_string_lossy().into_owned();
        if kind.is_dir() && !OUTSIDE.contains(&name.as_str()) {
            walk(root, &path, files)?;
        }
        if kind.is_file()
            && entry.metadata().is_ok_and(|metadata| metadata.len() <= LARGEST)
            && !name.ends_with(".local.yaml")
            && name != ".git"
        {
            let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            // What is no text is no source.
            if let Ok(text) = std::fs::read_to_string(&path) {
                files.push((relative, text));
            }
        }
    }
    Ok(())
}

/// Test files are tests whole; elsewhere what stands behind `#[cfg(test)]`, to the end of its braces.
fn test_lines(path: &str, code: &str) -> Vec<bool> {
    let lines: Vec<&str> = code.lines().collect();
    let whole = ["/tests/", "/benches/", "/examples/", "/fuzz/"].iter().any(|folder| format!("/{path}").contains(folder));
    let named = path.ends_with("/tests.rs") || path.ends_with("/testing.rs");
    let mut tested = vec![whole && !path.starts_with("examples/") || named; lines.len()];
    let (mut depth, mut inside, mut waiting) = (0usize, false, false);
    for (index, line) in lines.iter().enumerate() {
        let attribute = line.trim_start().starts_with("#[cfg(test)]") || line.trim_start().starts_with("#[cfg(any(test");
        waiting |= attribute && !inside;
        if let Some(slot) = tested.get_mut(index).filter(|_| waiting || inside) {
            *slot = true;
        }
        if waiting && !inside {
            inside = line.contains('{');
            waiting = !inside && !(line.trim_end().ends_with(';'));
        }
        if inside {
            depth += line.matches('{').count();
            depth = depth.saturating_sub(line.matches('}').count());
            if depth == 0 {
                (inside, waiting) = (false, false);
            }
        }
    }
    tested
}
