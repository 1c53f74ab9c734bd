//! What a build reaches beyond its own files, told by traits: containers, registries, addresses.

use crate::isolate::Isolate;
use crate::secret::Hidden;
use blobs::Image;
use oci::{DiffId, Digest, Reference};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What a build reaches beyond its own files.
#[derive(Clone, Copy)]
pub struct Outside<'a> {
    /// Runs `RUN` steps.
    pub isolate: &'a dyn Isolate,
    /// Brings images that are not in the store.
    pub bases: &'a dyn Bases,
    /// Fetches what `ADD` names by its address.
    pub fetch: &'a dyn Fetch,
    /// Brings what `ADD` names as a repository.
    pub repositories: &'a dyn Repositories,
    /// What other machines remember of steps.
    pub remembered: &'a dyn Remembered,
}

/// What other machines remember of steps that they have done.
pub trait Remembered: Send + Sync {
    /// The layer that a step of that key made, now in the store; `Some(None)` where it made none, and `None` where nobody knows, or
    /// what they know cannot be had.
    fn recall(&self, key: &Digest) -> Option<Option<DiffId>>;
}

/// Brings images from elsewhere into the store.
pub trait Bases: Send + Sync {
    /// The image of that name for this machine, now in the store; `None` where nobody is asked for it. It may be called for several
    /// names at the same time.
    ///
    /// # Errors
    /// Who was asked, and what they said.
    fn find(&self, reference: &Reference) -> Result<Option<Image>, Unavailable>;
}

/// Fetches from addresses of `http` and `https`.
pub trait Fetch: Send + Sync {
    /// Writes what is at an address to `out`, unless it is still what `known` says. Redirects are followed.
    ///
    /// # Errors
    /// When it cannot be had; `out` may then have got a part of it.
    fn fetch(&self, url: &str, known: &Version, out: &mut dyn Write) -> Result<Fetched, Unavailable>;
}

/// A repository, and what may be shown to its server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    /// `https://..`, `http://..`, `git://..`, `ssh://..` or `user@host:path`; it begins with no dash.
    pub url: String,
    /// A branch, a tag, a whole name such as `refs/heads/main`, or a commit; empty: what the repository has as its own. It begins
    /// with no dash.
    pub reference: String,
    /// A token for its server, over HTTP.
    pub token: Option<Hidden>,
    /// The socket of an ssh agent whose keys may be used.
    pub agent: Option<PathBuf>,
}

/// How a commit is checked out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckOut {
    /// Whether `.git` is there too.
    pub keep_git_dir: bool,
    /// Whether submodules are.
    pub submodules: bool,
}

/// Brings commits of git repositories.
pub trait Repositories: Send + Sync {
    /// The id of the commit that a repository's reference means now.
    ///
    /// # Errors
    /// When nobody knows, with who was asked.
    fn commit(&self, repository: &Repository) -> Result<String, Unavailable>;

    /// Puts the files of a commit into a folder, which is made: folders and programs with the mode 0755, all else 0644.
    ///
    /// # Errors
    /// When it cannot be had.
    fn check_out(&self, repository: &Repository, commit: &str, how: CheckOut, folder: &Path) -> Result<(), Unavailable>;
}

/// By what a server tells one content of an address from another (RFC 9110 section 8.8), as it wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

/// What a fetch gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// All of it was written.
    New(Version),
    /// Nothing was: it is as it was known.
    Unchanged,
}

/// Something outside that cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unavailable {
    /// Who was asked for what, and what they said.
    pub message: String,
    /// What to do; may be empty.
    pub hint: String,
    /// Whether nobody answered, as against having said no.
    pub is_unreachable: bool,
}

/// Nothing outside: for builds that are to work without a network.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nowhere;

impl Bases for Nowhere {
    fn find(&self, _: &Reference) -> Result<Option<Image>, Unavailable> {
        Ok(None)
    }
}

impl Fetch for Nowhere {
    fn fetch(&self, url: &str, _: &Version, _: &mut dyn Write) -> Result<Fetched, Unavailable> {
        let message = format!("`{url}` cannot be fetched: this build has no network");
        Err(Unavailable { message, hint: "copy the file into the context".to_owned(), is_unreachable: true })
    }
}

impl Repositories for Nowhere {
    fn commit(&self, repository: &Repository) -> Result<String, Unavailable> {
        let message = format!("the repository `{}` cannot be reached: this build has no network", repository.url);
        Err(Unavailable { message, hint: "copy its files into the context".to_owned(), is_unreachable: true })
    }

    fn check_out(&self, repository: &Repository, _: &str, _: CheckOut, _: &Path) -> Result<(), Unavailable> {
        self.commit(repository).map(drop)
    }
}

impl Remembered for Nowhere {
    fn recall(&self, _: &Digest) -> Option<Option<DiffId>> {
        None
    }
}
