//! One member of an archive.

use super::error::Fault;
use std::collections::BTreeMap;
use std::fmt;

/// The longest path in bytes (Linux: PATH_MAX without its NUL).
const MAX_PATH: usize = 4095;
/// The longest name in bytes (Linux: NAME_MAX).
const MAX_NAME: usize = 255;

/// A path below the archive's root: no empty, `.` or `..` component, no NUL, no slash at either end. Empty is the root itself.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EntryPath(Vec<u8>);

impl EntryPath {
    /// Reads a member's name: leading `/` and `./`, doubled and trailing slashes are dropped, as docker does.
    ///
    /// # Errors
    /// When it is empty, has a `..` component or a NUL, or is longer than Linux takes.
    pub fn parse(name: &[u8]) -> Result<Self, Fault> {
        if name.is_empty() {
            return Err(Fault::EmptyName);
        }
        if name.contains(&0) {
            return Err(Fault::NulInName);
        }
        let mut path = Vec::with_capacity(name.len());
        for part in name.split(|&b| b == b'/').filter(|part| !part.is_empty() && *part != b".") {
            if part == b".." {
                return Err(Fault::ParentComponent);
            }
            if part.len() > MAX_NAME {
                return Err(Fault::LongName);
            }
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(part);
        }
        if path.len() > MAX_PATH {
            return Err(Fault::LongName);
        }
        Ok(Self(path))
    }

    /// The bytes, without a slash at either end.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The folder and the name in it; `None` for the root.
    pub fn split(&self) -> Option<(Self, &[u8])> {
        if self.0.is_empty() {
            return None;
        }
        match self.0.iter().rposition(|&b| b == b'/') {
            None => Some((Self::default(), &self.0)),
            Some(at) => Some((Self(self.0.get(..at)?.to_vec()), self.0.get(at + 1..)?)),
        }
    }

    /// This path with one more name.
    ///
    /// # Errors
    /// As [`EntryPath::parse`]; also when the name has a slash.
    pub fn join(&self, name: &[u8]) -> Result<Self, Fault> {
        if name.contains(&b'/') {
            return Err(Fault::ParentComponent);
        }
        let mut path = self.0.clone();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name);
        Self::parse(&path)
    }
}

impl fmt::Display for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", String::from_utf8_lossy(&self.0).escape_debug())
    }
}

impl fmt::Debug for EntryPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A modification time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mtime {
    /// Seconds since the Unix epoch.
    pub seconds: i64,
    /// Nanoseconds after that.
    pub nanos: u32,
}

/// What a member is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file and its size in bytes.
    File {
        /// Bytes.
        size: u64,
    },
    /// A folder.
    Folder,
    /// A symbolic link and where it points: any bytes but NUL, not resolved.
    Symlink {
        /// As written.
        target: Vec<u8>,
    },
    /// Another name of an earlier member.
    Hardlink {
        /// That member.
        target: EntryPath,
    },
    /// A character device.
    Char {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    Block {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub path: EntryPath,
    /// What.
    pub kind: Kind,
    /// Permission bits with setuid, setgid and sticky: at most `0o7777`.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// When it was last written.
    pub mtime: Mtime,
    /// Extended attributes by full name, such as `security.capability`.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}
