//! What is known of a home's indexes: which are in use and for whom, and the last number of each publisher. One process at a time changes it.

use super::{folder, host};
use base::files::{FileError, make_folder, read_if_exists, write_atomically};
use base::{Problem, ProblemKind, Timestamp};
use oci::signature::{PublicKey, public_key, shown};
use rustix::fs::{FlockOperation, flock};
use scanner::advisories::trust::Seen;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;

/// So many projects' own indexes are kept; of more, the oldest go.
const MOST_PROJECTS: usize = 8;

/// What is known of this machine's indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The one in use where no project names keys.
    pub current: Option<Installed>,
    /// Those of projects that name keys, by these keys: what they trust is nobody else's.
    #[serde(default)]
    pub projects: BTreeMap<String, Installed>,
    /// The last of each publisher, by key without its comment.
    #[serde(default)]
    pub seen: BTreeMap<String, Seen>,
    /// Keys that somebody said to trust here.
    #[serde(default)]
    pub trusted: Vec<String>,
}

/// An index in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// The file beside the state.
    pub file: String,
    /// Who signed it: a public key as ssh writes it, without its comment.
    pub key: String,
    /// Where it came from.
    pub from: String,
    /// When it was installed.
    pub at: Timestamp,
}

impl State {
    /// Of a home; empty where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn load(home: &Path) -> Result<Self, Problem> {
        let path = folder(home).join("state.json");
        let Some(bytes) = read_if_exists(&path).map_err(host)? else { return Ok(Self::default()) };
        Self::parse(&bytes).map_err(|error| {
            Problem::new(ProblemKind::Host, format!("`{}` cannot be read: {error}", path.display()))
                .hint("remove it, and build or fetch the advisories again")
        })
    }

    /// Earlier ones have keys with comments, which say nothing about who signed; the highest number of one key counts.
    fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let mut state: Self = serde_json::from_slice(bytes)?;
        for (key, seen) in std::mem::take(&mut state.seen) {
            let of_key = state.seen.entry(bare(&key)).or_insert(seen);
            if of_key.sequence < seen.sequence {
                *of_key = seen;
            }
        }
        state.current.iter_mut().chain(state.projects.values_mut()).for_each(|installed| installed.key = bare(&installed.key));
        Ok(state)
    }

    /// Puts it in place of the one that is there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&mut self, home: &Path, _alone: &Alone) -> Result<(), Problem> {
        while self.projects.len() > MOST_PROJECTS {
            let oldest = self.projects.iter().min_by_key(|(_, installed)| installed.at).map(|(keys, _)| keys.clone());
            self.projects.remove(&oldest.unwrap_or_default());
        }
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| Problem::new(ProblemKind::Defect, error.to_string()))?;
        write_atomically(&folder(home).join("state.json"), &bytes, 0o600).map_err(host)
    }

    /// The index for who names keys, or none; of the project's own and the machine's, where these keys signed it, the one installed last.
    pub fn of(&self, keys: &[PublicKey]) -> Option<&Installed> {
        if keys.is_empty() {
            return self.current.as_ref();
        }
        let texts: Vec<String> = keys.iter().map(text).collect();
        let machine = self.current.as_ref().filter(|current| texts.contains(&current.key));
        let own = self.projects.get(&set(keys));
        // One that nobody of them signed is refused by name when it is opened.
        own.into_iter().chain(machine).max_by_key(|installed| installed.at).or(self.current.as_ref())
    }

    /// Puts an index in use for who names keys, or for the machine. Whether it was in use there before.
    pub fn put(&mut self, keys: &[PublicKey], is_for_machine: bool, installed: &Installed) -> bool {
        let is_same = |before: Option<&Installed>| before.is_some_and(|before| before.file == installed.file);
        let mut was = true;
        if is_for_machine {
            was &= is_same(self.current.replace(installed.clone()).as_ref());
        }
        if !keys.is_empty() {
            was &= is_same(self.projects.insert(set(keys), installed.clone()).as_ref());
        }
        was
    }

    /// Removes the files of indexes that nobody uses any more.
    pub fn clean(&self, home: &Path, _alone: &Alone) {
        let used: BTreeSet<&str> = self.current.iter().chain(self.projects.values()).map(|installed| installed.file.as_str()).collect();
        for entry in fs::read_dir(folder(home)).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("index-") && !used.contains(name.as_str()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// A key as ssh writes it, without its comment: two that differ only in that are one.
pub fn text(key: &PublicKey) -> String {
    let bare = PublicKey::from(key.key_data().clone());
    bare.to_openssh().unwrap_or_else(|_| shown(&bare))
}

/// The same of a text; as it is where it is no key.
fn bare(key: &str) -> String {
    public_key(key).map_or_else(|_| key.to_owned(), |key| text(&key))
}

/// What a list of keys is known by, whatever its order.
fn set(keys: &[PublicKey]) -> String {
    let texts: BTreeSet<String> = keys.iter().map(text).collect();
    texts.into_iter().collect::<Vec<_>>().join("\n")
}

/// That no other process changes a home's indexes, for as long as it lives.
#[derive(Debug)]
pub struct Alone {
    _file: File,
}

impl Alone {
    /// Waits until nobody else does.
    ///
    /// # Errors
    /// When the home cannot be written.
    pub fn in_home(home: &Path) -> Result<Self, Problem> {
        let folder = folder(home);
        make_folder(&folder, 0o700).map_err(host)?;
        let path = folder.join("lock");
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| host(FileError::new("open", &path, error)))?;
        loop {
            match flock(&file, FlockOperation::LockExclusive) {
                Ok(()) => return Ok(Self { _file: file }),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(host(FileError::new("lock", &path, error.into()))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci::signature::key_pair;

    fn key(seed: u8, comment: &str) -> PublicKey {
        public_key(&key_pair([seed; 32], comment).expect("a key").1).expect("a key")
    }

    fn installed(key: &PublicKey, file: &str, at: i64) -> Installed {
        Installed { file: file.to_owned(), key: text(key), from: String::new(), at: Timestamp::from_micros(at) }
    }

    #[test]
    fn a_comment_is_no_part_of_a_publisher() {
        let (alice, bare) = (key(1, "alice").to_openssh().expect("text"), key(1, "").to_openssh().expect("text"));
        assert_eq!((text(&key(1, "alice")), alice != bare), (bare.clone(), true));
        let digest = oci::Digest::of(b"x");
        let seen = |sequence: u64| serde_json::json!({"sequence": sequence, "digest": digest});
        let current = serde_json::json!({"file": "index-1", "key": alice, "from": "f", "at": 0});
        // As it was written before: the same key by two names.
        let old = serde_json::json!({"current": current, "seen": {alice: seen(100), bare.clone(): seen(50)}, "trusted": []});
        let state = State::parse(old.to_string().as_bytes()).expect("read");
        assert_eq!(state.seen, BTreeMap::from([(bare.clone(), Seen { sequence: 100, digest })]));
        assert_eq!(state.current.map(|current| current.key), Some(bare));
    }

    #[test]
    fn what_a_project_trusts_is_in_use_for_its_keys_alone() {
        let (ours, theirs) = (key(1, "ours"), key(2, "theirs"));
        let mut state = State::default();
        state.put(&[], true, &installed(&ours, "index-1", 1));
        let file = |state: &State, keys: &[PublicKey]| state.of(keys).map(|installed| installed.file.clone()).unwrap_or_default();
        assert!(!state.put(std::slice::from_ref(&theirs), false, &installed(&theirs, "index-2", 2)));
        assert!(state.put(std::slice::from_ref(&theirs), false, &installed(&theirs, "index-2", 3)), "it was there before");
        assert_eq!(file(&state, &[]), "index-1");
        assert_eq!(file(&state, std::slice::from_ref(&theirs)), "index-2");
        // The machine's counts for who names its publisher, and the later of two.
        assert_eq!(file(&state, &[key(1, "another comment")]), "index-1");
        let both = [theirs, ours.clone()];
        state.put(&both, false, &installed(&ours, "index-3", 4));
        assert_eq!(file(&state, &[both[1].clone(), both[0].clone()]), "index-3");
        state.put(&[], true, &installed(&ours, "index-4", 5));
        assert_eq!(file(&state, &both), "index-4");
    }
}
