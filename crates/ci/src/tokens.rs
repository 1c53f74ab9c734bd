//! Who may do what: tokens by name, of which only the digest is kept.

use crate::held::hold;
use base::files::FileError;
use ring::digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything people can do: push, make repositories, look, retry, cancel.
    Admin,
    /// Take runs and say what happens; read repositories.
    Runner,
    /// Push to repositories, also to new ones, and look.
    Push,
    /// Look, and clone.
    Read,
}

/// A right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// See runs and clone repositories.
    Look,
    /// Push.
    Push,
    /// Retry and cancel.
    Operate,
    /// Do runs.
    Run,
}

impl Role {
    /// The role of a lower-case name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Admin, Self::Runner, Self::Push, Self::Read].into_iter().find(|role| role.name() == name)
    }

    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Runner => "runner",
            Self::Push => "push",
            Self::Read => "read",
        }
    }

    /// Whether it has a right.
    pub const fn has(self, right: Right) -> bool {
        match right {
            Right::Look => true,
            Right::Push => matches!(self, Self::Admin | Self::Push),
            Right::Operate => matches!(self, Self::Admin),
            Right::Run => matches!(self, Self::Runner),
        }
    }
}

/// Who speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The token's name.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// SHA-256 of the token: it is random and long, so that no slower digest is needed.
    sha256: String,
    role: Role,
}

type Table = BTreeMap<String, Entry>;

/// All tokens of a server, in a file that is read again when it changes.
#[derive(Clone)]
pub struct Tokens {
    path: PathBuf,
    read: Arc<Mutex<(Option<Stamp>, Arc<Table>)>>,
}

type Stamp = (u64, i64, i64, u64);

impl Tokens {
    /// Those of a file, which need not be there yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), read: Arc::default() }
    }

    /// Whose token it is.
    pub fn who(&self, token: &str) -> Option<Who> {
        let sha256 = sha256(token);
        let table = self.table().ok()?;
        let (name, entry) = table.iter().find(|(_, entry)| entry.sha256 == sha256)?;
        Some(Who { name: name.clone(), role: entry.role })
    }

    /// Whether a token of that name and role is still there.
    pub fn knows(&self, name: &str, role: Role) -> bool {
        self.table().is_ok_and(|table| table.get(name).is_some_and(|entry| entry.role == role))
    }

    /// Names and roles.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn list(&self) -> Result<Vec<Who>, FileError> {
        Ok(self.table()?.iter().map(|(name, entry)| Who { name: name.clone(), role: entry.role }).collect())
    }

    /// A new token for a name, in the place of an old one; it is told only here.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn add(&self, name: &str, role: Role) -> Result<String, FileError> {
        let random = base::ids::random::<32>();
        let token = format!("wci_{}", base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, random));
        let _held = hold(&self.path)?;
        let mut table = (*self.table()?).clone();
        table.insert(name.to_owned(), Entry { sha256: sha256(&token), role });
        self.write(&table)?;
        Ok(token)
    }

    /// Takes a token away; whether there was one.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn remove(&self, name: &str) -> Result<bool, FileError> {
        let _held = hold(&self.path)?;
        let mut table = (*self.table()?).clone();
        let was = table.remove(name).is_some();
        self.write(&table)?;
        Ok(was)
    }

    fn write(&self, table: &Table) -> Result<(), FileError> {
        base::files::write_atomically(&self.path, &serde_json::to_vec_pretty(table).unwrap_or_default(), 0o600)
    }

    fn table(&self) -> Result<Arc<Table>, FileError> {
        let stamp = std::fs::metadata(&self.path).ok().map(|data| (data.ino(), data.mtime(), data.mtime_nsec(), data.len()));
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.0 != stamp {
            let bytes = base::files::read_if_exists(&self.path)?.unwrap_or_else(|| b"{}".to_vec());
            let broken = |error| FileError::new("read", &self.path, std::io::Error::new(std::io::ErrorKind::InvalidData, error));
            *read = (stamp, Arc::new(serde_json::from_slice(&bytes).map_err(broken)?));
        }
        Ok(read.1.clone())
    }
}

fn sha256(token: &str) -> String {
    base::ids::hex(digest::digest(&digest::SHA256, token.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_until_it_is_taken_away_and_stands_nowhere() {
        let path = std::env::temp_dir().join(format!("wharf-tokens-{}", base::ids::suffix(8)));
        let tokens = Tokens::new(&path);
        assert_eq!(tokens.who("x"), None);
        let token = tokens.add("me", Role::Push).expect("added");
        let other = Tokens::new(&path);
        assert_eq!(other.who(&token), Some(Who { name: "me".into(), role: Role::Push }));
        assert!(!std::fs::read_to_string(&path).expect("read").contains(&token));
        assert_eq!(std::fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        let newer = other.add("me", Role::Admin).expect("added");
        assert_eq!((tokens.who(&token), tokens.who(&newer).map(|who| who.role)), (None, Some(Role::Admin)));
        assert!(tokens.knows("me", Role::Admin) && !tokens.knows("me", Role::Push));
        assert!(tokens.remove("me").expect("removed") && !tokens.remove("me").expect("nothing"));
        assert_eq!(tokens.who(&newer), None);
        std::fs::remove_file(path).expect("removed");
    }

    #[test]
    fn tokens_that_are_made_at_once_are_all_kept() {
        let folder = std::env::temp_dir().join(format!("wharf-tokens-{}", base::ids::suffix(8)));
        base::files::make_folder(&folder, 0o700).expect("folder");
        let path = folder.join("tokens.json");
        let add = &|name: usize| Tokens::new(&path).add(&name.to_string(), Role::Read).expect("added");
        let tokens: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16).map(|name| scope.spawn(move || add(name))).collect();
            threads.into_iter().map(|thread| thread.join().expect("joined")).collect()
        });
        let all = Tokens::new(&path);
        assert!(tokens.iter().all(|token| all.who(token).is_some()), "{:?}", all.list());
        std::fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn roles_have_no_more_than_they_need() {
        let rights = |role: Role| [Right::Look, Right::Push, Right::Operate, Right::Run].map(|right| role.has(right));
        assert_eq!(rights(Role::Admin), [true, true, true, false]);
        assert_eq!(rights(Role::Push), [true, true, false, false]);
        assert_eq!(rights(Role::Read), [true, false, false, false]);
        assert_eq!(rights(Role::Runner), [true, false, false, true]);
    }
}
