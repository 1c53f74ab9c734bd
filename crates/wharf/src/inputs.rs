//! What a stage depends on, by content, and what is remembered of stages that went well.

use base::{Problem, ProblemKind, files, ids};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The content of files and folders as one digest: names, modes and bytes, not times. What git ignores does not count.
///
/// # Errors
/// When something that is there cannot be read.
pub fn digest(root: &Path, paths: &[String]) -> Result<String, Problem> {
    let mut all: Vec<PathBuf> = Vec::new();
    for path in paths {
        all.extend(below(&root.join(path)));
    }
    all.sort();
    all.dedup();
    let mut hasher = Sha256::new();
    for path in all {
        add(&mut hasher, root, &path)
            .map_err(|error| Problem::new(ProblemKind::Host, files::FileError::new("read", &path, error).to_string()))?;
    }
    Ok(ids::hex(&hasher.finalize()))
}

fn below(path: &Path) -> Vec<PathBuf> {
    let walk = ignore::WalkBuilder::new(path).hidden(false).require_git(false).filter_entry(|entry| entry.file_name() != ".git").build();
    walk.flatten().filter(|entry| entry.file_type().is_some_and(|kind| !kind.is_dir())).map(ignore::DirEntry::into_path).collect()
}

fn add(hasher: &mut Sha256, root: &Path, path: &Path) -> std::io::Result<()> {
    let name = path.strip_prefix(root).unwrap_or(path).as_os_str().as_bytes();
    let meta = std::fs::symlink_metadata(path)?;
    let mut framed = |kind: u8, length: u64| {
        hasher.update((name.len() as u64).to_le_bytes());
        hasher.update(name);
        hasher.update([kind, u8::from(meta.permissions().mode() & 0o111 != 0)]);
        hasher.update(length.to_le_bytes());
    };
    if meta.is_symlink() {
        let target = std::fs::read_link(path)?;
        framed(b'l', target.as_os_str().len() as u64);
        hasher.update(target.as_os_str().as_bytes());
    } else if meta.is_file() {
        framed(b'f', meta.len());
        let mut file = std::fs::File::open(path)?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hasher.update(buffer.get(..read).unwrap_or_default());
        }
    }
    Ok(())
}

/// What stages of a project went well with which inputs.
pub struct Memory {
    path: PathBuf,
    known: BTreeMap<String, String>,
    /// What passed in any checkout on this machine: an empty file a key.
    passed: PathBuf,
}

/// Keys of what passed that are kept; the oldest go first.
const MOST_PASSED: usize = 2_000;

impl Memory {
    /// Of the project in `folder`; nothing is known where nothing can be read.
    pub fn open(home: &Path, folder: &Path) -> Self {
        let name = ids::hex(&Sha256::digest(folder.as_os_str().as_bytes()));
        let path = home.join("stages").join(format!("{}.json", &name[..16]));
        let known = files::read_if_exists(&path).ok().flatten().and_then(|content| serde_json::from_slice(&content).ok());
        Self { path, known: known.unwrap_or_default(), passed: home.join("stages").join("passed") }
    }

    /// Whether this passed, in whichever checkout: only for what its key, one of [`key`], covers whole, as an image's id does.
    pub fn passed(&self, key: &str) -> bool {
        self.passed.join(key).exists()
    }

    /// Remembers that it did.
    pub fn pass(&self, key: &str) {
        let _ = files::make_folder(&self.passed, 0o700).and_then(|()| files::write_atomically(&self.passed.join(key), b"", 0o600));
        let entries = std::fs::read_dir(&self.passed).into_iter().flatten().flatten();
        let mut all: Vec<_> = entries.filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path()))).collect();
        if all.len() > MOST_PASSED {
            all.sort();
            all.iter().take(all.len() - MOST_PASSED).for_each(|(_, path)| drop(std::fs::remove_file(path)));
        }
    }

    /// Whether a stage went well with these very inputs.
    pub fn knows(&self, stage: &str, key: &str) -> bool {
        self.known.get(stage).is_some_and(|known| known == key)
    }

    /// Remembers that it did. A memory that cannot be written only costs time.
    pub fn remember(&mut self, stage: &str, key: &str) {
        self.known.insert(stage.to_owned(), key.to_owned());
        self.write();
    }

    /// Forgets it.
    pub fn forget(&mut self, stage: &str) {
        if self.known.remove(stage).is_some() {
            self.write();
        }
    }

    fn write(&self) {
        if let Some(folder) = self.path.parent() {
            let text = serde_json::to_vec_pretty(&self.known).unwrap_or_default();
            let _ = files::make_folder(folder, 0o700).and_then(|()| files::write_atomically(&self.path, &text, 0o600));
        }
    }
}

/// A key of a command with its inputs.
pub fn key(command: &str, inputs: &str) -> String {
    ids::hex(&Sha256::digest(format!("{command}\0{inputs}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passed_is_known_in_other_checkouts_and_what_a_checkout_did_is_not() {
        let home = std::env::temp_dir().join(format!("wharf-memory-{}", ids::suffix(8)));
        let mut one = Memory::open(&home, Path::new("/one"));
        one.remember("prepare web", &key("make", "1"));
        one.pass(&key("check make", "sha256:1"));
        let other = Memory::open(&home, Path::new("/other"));
        assert!(other.passed(&key("check make", "sha256:1")) && !other.passed(&key("check make", "sha256:2")));
        assert!(!other.knows("prepare web", &key("make", "1")) && one.knows("prepare web", &key("make", "1")));
        (0..MOST_PASSED + 5).for_each(|number| drop(std::fs::write(home.join(format!("stages/passed/{number}")), "")));
        one.pass(&key("check make", "sha256:3"));
        assert!(std::fs::read_dir(home.join("stages/passed")).expect("read").count() <= MOST_PASSED);
        std::fs::remove_dir_all(home).expect("removed");
    }

    #[test]
    fn content_counts_and_times_and_ignored_files_do_not() {
        let folder = std::env::temp_dir().join(format!("wharf-inputs-{}", ids::suffix(8)));
        std::fs::create_dir_all(folder.join("dist")).expect("made");
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("written");
        write(".gitignore", "dist/\n");
        write("a", "1");
        let now = || digest(&folder, &[".".to_owned()]).expect("read");
        let first = now();
        write("a", "1");
        write("dist/out", "x");
        assert_eq!(now(), first);
        write("a", "2");
        assert_ne!(now(), first);
        std::fs::rename(folder.join("a"), folder.join("b")).expect("renamed");
        write("b", "1");
        assert_ne!(now(), first);
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
