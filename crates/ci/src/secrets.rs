//! Secrets of runs: sealed in a file, opened for the runs of their repository and branch alone.

use crate::held::hold;
use crate::rules;
use base::files::FileError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One secret, without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// The repository whose runs get it.
    pub repository: String,
    /// The variable that it is in.
    pub name: String,
    /// Patterns of the branches whose runs get it; all where it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<String>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Sealed {
    #[serde(flatten)]
    secret: Secret,
    value: String,
}

/// Why secrets cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// What was sealed is not what is there.
    #[error("the secret {0} cannot be opened: it or the key file was changed")]
    Broken(String),
    /// No variable can have such a name.
    #[error("`{0}` is no name for a variable: expected letters, digits and `_`, the first one no digit")]
    Name(String),
}

/// All secrets of a server.
#[derive(Clone, Debug)]
pub struct Secrets {
    folder: PathBuf,
}

impl Secrets {
    /// Those of a folder.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Seals a text for a purpose: it is opened for no other.
    ///
    /// # Errors
    /// When the key cannot be read or made.
    pub fn seal(&self, purpose: &str, text: &str) -> Result<String, SecretError> {
        let nonce = base::ids::random::<NONCE_LEN>();
        let mut sealed = text.as_bytes().to_vec();
        let aad = Aad::from(purpose.as_bytes());
        let sealing = self.key()?.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed);
        sealing.map_err(|_| SecretError::Broken(purpose.to_owned()))?;
        Ok(STANDARD.encode([&nonce[..], &sealed].concat()))
    }

    /// Opens what was sealed for a purpose.
    ///
    /// # Errors
    /// When it or the key was changed.
    pub fn open(&self, purpose: &str, sealed: &str) -> Result<String, SecretError> {
        let broken = || SecretError::Broken(purpose.to_owned());
        let bytes = STANDARD.decode(sealed).map_err(|_| broken())?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN).ok_or_else(broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
        let mut sealed = sealed.to_vec();
        let opened = self.key()?.open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut sealed).map_err(|_| broken())?.to_vec();
        String::from_utf8(opened).map_err(|_| broken())
    }

    /// Keeps a secret, in the place of one of the same name.
    ///
    /// # Errors
    /// When its name cannot be a variable's, or nothing can be written.
    pub fn set(&self, secret: Secret, value: &str) -> Result<(), SecretError> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if secret.name.is_empty()
            || secret.name.len() > 100
            || !secret.name.bytes().all(plain)
            || secret.name.as_bytes()[0].is_ascii_digit()
        {
            return Err(SecretError::Name(secret.name));
        }
        let value = self.seal(&purpose(&secret), value)?;
        let _held = hold(&self.file())?;
        let mut all = self.read()?;
        all.retain(|known| purpose(&known.secret) != purpose(&secret));
        all.push(Sealed { secret, value });
        self.write(&all)
    }

    /// Forgets one; whether there was one.
    ///
    /// # Errors
    /// When nothing can be written.
    pub fn remove(&self, repository: &str, name: &str) -> Result<bool, SecretError> {
        let _held = hold(&self.file())?;
        let mut all = self.read()?;
        let before = all.len();
        all.retain(|known| (known.secret.repository.as_str(), known.secret.name.as_str()) != (repository, name));
        self.write(&all)?;
        Ok(all.len() < before)
    }

    /// Forgets all of a repository, so that no other one of its name gets them; how many they were.
    ///
    /// # Errors
    /// When nothing can be written.
    pub fn remove_all(&self, repository: &str) -> Result<usize, SecretError> {
        let _held = hold(&self.file())?;
        let mut all = self.read()?;
        let before = all.len();
        all.retain(|known| known.secret.repository != repository);
        if all.len() < before {
            self.write(&all)?;
        }
        Ok(before - all.len())
    }

    /// All, without their values.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn list(&self) -> Result<Vec<Secret>, SecretError> {
        Ok(self.read()?.into_iter().map(|sealed| sealed.secret).collect())
    }

    /// The variables of a run.
    ///
    /// # Errors
    /// When one cannot be opened.
    pub fn of(&self, repository: &str, branch: &str) -> Result<BTreeMap<String, String>, SecretError> {
        let all = self.read()?;
        let fits = |secret: &Secret| {
            secret.repository == repository
                && (secret.branches.is_empty() || secret.branches.iter().any(|pattern| rules::matches(pattern, branch)))
        };
        let own = all.into_iter().filter(|sealed| fits(&sealed.secret));
        own.map(|sealed| Ok((sealed.secret.name.clone(), self.open(&purpose(&sealed.secret), &sealed.value)?))).collect()
    }

    fn key(&self) -> Result<LessSafeKey, SecretError> {
        let path = self.folder.join("key");
        let bytes = match base::files::read_if_exists(&path)? {
            Some(bytes) => bytes,
            None => {
                let _ = base::files::create_atomically(&path, &base::ids::random::<32>(), 0o600)?;
                // Another process may have been first: all seal with the one that is there.
                base::files::read(&path)?
            }
        };
        let broken = |_| SecretError::Broken("key".to_owned());
        Ok(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).map_err(broken)?))
    }

    fn file(&self) -> PathBuf {
        self.folder.join("secrets.json")
    }

    fn read(&self) -> Result<Vec<Sealed>, SecretError> {
        let path = self.file();
        let bytes = base::files::read_if_exists(&path)?.unwrap_or_else(|| b"[]".to_vec());
        let broken = |error| FileError::new("read", &path, std::io::Error::new(std::io::ErrorKind::InvalidData, error));
        Ok(serde_json::from_slice(&bytes).map_err(broken)?)
    }

    fn write(&self, all: &[Sealed]) -> Result<(), SecretError> {
        let bytes = serde_json::to_vec_pretty(all).unwrap_or_default();
        Ok(base::files::write_atomically(&self.file(), &bytes, 0o600)?)
    }
}

fn purpose(secret: &Secret) -> String {
    format!("`{}` of `{}`", secret.name, secret.repository)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_for_its_repository_and_branches_alone() {
        let folder = std::env::temp_dir().join(format!("wharf-secrets-{}", base::ids::suffix(8)));
        base::files::make_folder(&folder, 0o700).expect("folder");
        let secrets = Secrets::new(&folder);
        let secret = |name: &str, branches: &[&str]| Secret {
            repository: "web".into(),
            name: name.into(),
            branches: branches.iter().map(|one| (*one).to_owned()).collect(),
        };
        secrets.set(secret("A", &["main"]), "hidden-a").expect("set");
        secrets.set(secret("B", &[]), "old").expect("set");
        secrets.set(secret("B", &[]), "hidden-b").expect("set");
        let names = |repository, branch| secrets.of(repository, branch).expect("opened").into_iter().collect::<Vec<_>>();
        assert_eq!(names("web", "main"), [("A".to_owned(), "hidden-a".to_owned()), ("B".to_owned(), "hidden-b".to_owned())]);
        assert_eq!(names("web", "other").len(), 1);
        assert!(names("other", "main").is_empty());
        assert_eq!(secrets.remove_all("other").expect("removed"), 0);
        assert!(secrets.set(secret("1A", &[]), "x").is_err() && secrets.set(secret("A=", &[]), "x").is_err());
        let file = std::fs::read_to_string(folder.join("secrets.json")).expect("read");
        assert!(!file.contains("hidden"), "{file}");
        // A value moved to another name is not opened.
        std::fs::write(folder.join("secrets.json"), file.replace("\"A\"", "\"C\"")).expect("written");
        assert!(matches!(secrets.of("web", "main"), Err(SecretError::Broken(_))));
        assert_eq!((secrets.remove_all("web").expect("removed"), secrets.list().expect("read").len()), (2, 0));
        std::fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn secrets_that_are_set_at_once_are_all_kept_with_one_key() {
        let folder = std::env::temp_dir().join(format!("wharf-secrets-{}", base::ids::suffix(8)));
        base::files::make_folder(&folder, 0o700).expect("folder");
        let set = &|number: usize| {
            let secret = Secret { repository: "web".into(), name: format!("S{number}"), branches: Vec::new() };
            Secrets::new(&folder).set(secret, "hidden").expect("set");
        };
        std::thread::scope(|scope| (0..16).for_each(|number| drop(scope.spawn(move || set(number)))));
        assert_eq!(Secrets::new(&folder).of("web", "main").expect("all opened").len(), 16);
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
