//! Secrets: given to steps, and kept out of everything that is told or stored.

use crate::error::Trouble;
use base::files::FileError;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// BuildKit's limit of a secret.
const MAX_BYTES: u64 = 500 * 1024;

/// Where a secret's value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// In a file, read when a step wants it.
    File(PathBuf),
    /// Here.
    Value(Hidden),
    /// Nowhere, and why: told when a step wants it.
    Missing(String),
}

/// Bytes that no message shows.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(pub Vec<u8>);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} hidden bytes", self.0.len())
    }
}

impl Secret {
    /// The value.
    pub(crate) fn read(&self, id: &str) -> Result<Hidden, Trouble> {
        let value = match self {
            Self::Value(value) => value.clone(),
            Self::Missing(why) => return Err(Trouble::new(format!("the secret `{id}` is not here: {why}"))),
            Self::File(path) => Hidden(read(path).map_err(|error| Trouble::new(format!("the secret `{id}`: {error}")))?),
        };
        if value.0.len() as u64 > MAX_BYTES {
            return Err(Trouble::new(format!("the secret `{id}` has more than {} KiB", MAX_BYTES / 1024)));
        }
        Ok(value)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let mut content = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| FileError::new("open", path, error))?;
    file.take(MAX_BYTES + 1).read_to_end(&mut content).map_err(|error| FileError::new("read", path, error))?;
    Ok(content)
}
