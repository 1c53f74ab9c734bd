//! Where a project lies in its repository.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest path, in bytes.
const BYTES: usize = 200;

/// A folder of a repository that has a project, with `/` between its parts; the root of the repository by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProjectFolder(String);

/// Why a text names no folder of a repository.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no folder of a repository: {why}")]
pub struct FolderError {
    text: String,
    why: &'static str,
}

impl ProjectFolder {
    /// The folder of a path as people write it: `services/shop`, `./services/shop/`, `.` for the root.
    ///
    /// # Errors
    /// When it leads out of the repository, or cannot be a path in one.
    pub fn parse(text: &str) -> Result<Self, FolderError> {
        let refused = |why| Err(FolderError { text: text.chars().take(BYTES).filter(|c| !c.is_control()).collect(), why });
        if text.is_empty() {
            return refused("expected a path from the root of the repository, `.` for the root itself");
        }
        if text.starts_with('/') {
            return refused("expected a path from the root of the repository, without a `/` before it");
        }
        if text.len() > BYTES {
            return refused("expected 200 bytes at most");
        }
        if text.chars().any(|c| c.is_control() || c == '\\') {
            return refused("control characters and `\\` are in no path of a project");
        }
        let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
        if parts.contains(&"..") {
            return refused("`..` may lead out of the repository");
        }
        if parts.iter().any(|part| part.eq_ignore_ascii_case(".git")) {
            return refused("`.git` is git's own");
        }
        Ok(Self(parts.join("/")))
    }

    /// The path; empty for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the root of the repository.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path of a file of the repository from this folder; with `../` before it where it is not below.
    pub fn relative(&self, path: &str) -> String {
        if self.is_root() {
            return path.to_owned();
        }
        let (own, file): (Vec<&str>, Vec<&str>) = (self.0.split('/').collect(), path.split('/').collect());
        // A file is no folder: its own name is common to none.
        let folders = file.len().saturating_sub(1);
        let common = own.iter().zip(&file).take(folders).take_while(|(one, other)| one == other).count();
        let up = std::iter::repeat_n("..", own.len() - common);
        up.chain(file.into_iter().skip(common)).collect::<Vec<_>>().join("/")
    }

    /// The path in the repository of a path from this folder, which may have `../` before it; `None` where it leads out.
    pub fn resolve(&self, path: &str) -> Option<String> {
        let mut own: Vec<&str> = self.0.split('/').filter(|part| !part.is_empty()).collect();
        let mut rest = path;
        while let Some(above) = rest.strip_prefix("../") {
            own.pop()?;
            rest = above;
        }
        own.push(rest);
        Some(own.join("/"))
    }
}

impl fmt::Display for ProjectFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "." } else { self.as_str() })
    }
}

impl TryFrom<String> for ProjectFolder {
    type Error = FolderError;

    fn try_from(text: String) -> Result<Self, FolderError> {
        if text.is_empty() { Ok(Self::default()) } else { Self::parse(&text) }
    }
}

impl From<ProjectFolder> for String {
    fn from(folder: ProjectFolder) -> Self {
        folder.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_within_a_repository_are_folders() {
        for (text, path) in [
            (".", ""),
            ("./", ""),
            ("a", "a"),
            ("./services//shop/", "services/shop"),
            ("-a/:b", "-a/:b"),
            ("...", "..."),
            ("größe", "größe"),
        ] {
            assert_eq!(ProjectFolder::parse(text).expect(text).as_str(), path);
        }
        for text in ["", "/", "/etc", "..", "a/../b", "a/..", "a\nb", "a\\..\\b", ".git", "a/.GIT/hooks", &"a".repeat(201)] {
            ProjectFolder::parse(text).expect_err(text);
        }
        serde_json::from_str::<ProjectFolder>("\"../a\"").expect_err("read from a file, too");
    }

    #[test]
    fn files_are_below_a_folder_or_not() {
        let folder = ProjectFolder::parse("services/shop").expect("a folder");
        for (path, relative) in [
            ("services/shop/src/a.rs", "src/a.rs"),
            ("services/shopping/a", "../shopping/a"),
            ("services/shop", "../shop"),
            ("services", "../../services"),
            ("a/b", "../../a/b"),
        ] {
            assert_eq!(folder.relative(path), relative);
            assert_eq!(folder.resolve(relative).as_deref(), Some(path));
        }
        assert_eq!(ProjectFolder::default().relative("a/b"), "a/b");
        assert_eq!((folder.resolve("../../../a"), ProjectFolder::default().resolve("../a")), (None, None));
    }

    proptest! {
        #[test]
        fn nothing_leads_out(text in "[a./ \\\\~-]{0,12}") {
            if let Ok(folder) = ProjectFolder::parse(&text) {
                prop_assert!(folder.as_str().split('/').all(|part| part != ".."));
                prop_assert!(!folder.as_str().starts_with('/'));
                let back = folder.resolve(&folder.relative("a/b/c"));
                prop_assert_eq!(back.as_deref(), Some("a/b/c"));
                prop_assert_eq!(ProjectFolder::parse(&folder.to_string()).expect("again"), folder);
            }
        }
    }
}
