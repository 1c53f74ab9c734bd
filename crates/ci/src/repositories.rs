//! Bare repositories below one folder, and what the server knows of each.

use crate::folder::ProjectFolder;
use crate::git::{Git, GitError, is_id};
use crate::run::Commit;
use base::files::FileError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The largest `wharf.yaml` that is read.
const SETTINGS_BYTES: usize = 1 << 20;
/// A list of all branches fits into this.
const LIST_BYTES: usize = 8 << 20;
/// For all that is fetched from elsewhere.
const FETCH: Duration = Duration::from_secs(15 * 60);

/// Why something of a repository could not be done.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// A name that cannot be one.
    #[error("`{0}` is no name for a repository: expected up to 100 letters, digits, `.`, `_` and `-`, the first one a letter or digit")]
    Name(String),
    /// None of that name.
    #[error("there is no repository `{0}`")]
    Missing(String),
    /// One of that name.
    #[error("there is a repository `{0}` already")]
    Exists(String),
    /// git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
}

/// What is known of a repository beside its contents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Where it lies, where that is elsewhere: it is fetched from there when a web hook says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The sealed secret of its web hook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<String>,
    /// The sealed token that opens the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The folders that have a project each; the root where it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<ProjectFolder>,
    /// What tells it from one of the same name that was removed before it was made; given when it is made.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub made: String,
}

impl Known {
    /// The folders of its projects, one at least.
    pub fn folders(&self) -> Vec<ProjectFolder> {
        if self.projects.is_empty() { vec![ProjectFolder::default()] } else { self.projects.clone() }
    }
}

/// All repositories of a server.
#[derive(Clone, Debug)]
pub struct Repositories {
    folder: PathBuf,
    git: Git,
}

impl Repositories {
    /// Those of a folder, made when missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(folder: &Path, git: Git) -> Result<Self, FileError> {
        base::files::make_folder(folder, 0o700)?;
        Ok(Self { folder: folder.to_owned(), git })
    }

    /// The names of all, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>, FileError> {
        let entries = std::fs::read_dir(&self.folder).map_err(|error| FileError::new("read", &self.folder, error))?;
        let name =
            |entry: std::fs::DirEntry| entry.file_name().to_str()?.strip_suffix(".git").filter(|name| is_name(name)).map(str::to_owned);
        let mut names: Vec<String> = entries.flatten().filter_map(name).collect();
        names.sort();
        Ok(names)
    }

    /// Whether there is one of that name.
    pub fn has(&self, name: &str) -> bool {
        is_name(name) && self.path(name).join("HEAD").is_file()
    }

    /// Where one is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.git"))
    }

    /// git, as all of it is used here.
    pub(crate) const fn git(&self) -> &Git {
        &self.git
    }

    /// Makes one.
    ///
    /// # Errors
    /// When there is one, its name cannot be one, or it cannot be made.
    pub async fn add(&self, name: &str, known: &Known) -> Result<(), RepositoryError> {
        if !is_name(name) {
            return Err(RepositoryError::Name(name.to_owned()));
        }
        if self.has(name) {
            return Err(RepositoryError::Exists(name.to_owned()));
        }
        self.write(name, &Known { made: base::ids::suffix(16), ..known.clone() })?;
        // Whole or not there: half of one is made again.
        let beside = self.folder.join(format!(".{name}.{}", base::ids::suffix(8)));
        base::files::make_folder(&beside, 0o700)?;
        self.git.at(&beside).run(&["init", "--quiet", "--bare", "--template=", "--initial-branch=main", "."]).await?;
        let _ = std::fs::remove_dir(self.path(name));
        match std::fs::rename(&beside, self.path(name)) {
            Ok(()) => Ok(base::files::sync_folder(&self.folder)?),
            Err(error) => {
                let _ = std::fs::remove_dir_all(&beside);
                // Two first pushes at once.
                if self.has(name) { Ok(()) } else { Err(FileError::new("create", self.path(name), error).into()) }
            }
        }
    }

    /// Removes one with all that is in it.
    ///
    /// # Errors
    /// When there is none, or it cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), RepositoryError> {
        if !self.has(name) {
            return Err(RepositoryError::Missing(name.to_owned()));
        }
        let failed = |path: PathBuf| move |error| FileError::new("remove", path, error);
        std::fs::remove_dir_all(self.path(name)).map_err(failed(self.path(name)))?;
        let file = self.file(name);
        std::fs::remove_file(&file).map_err(failed(file))?;
        Ok(())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }

    fn write(&self, name: &str, known: &Known) -> Result<(), FileError> {
        base::files::write_atomically(&self.file(name), &serde_json::to_vec_pretty(known).unwrap_or_default(), 0o600)
    }

    /// Says anew which of its folders are projects; what is pushed from now on goes by it.
    ///
    /// # Errors
    /// When there is none of that name, or its file cannot be read or written.
    pub fn set_projects(&self, name: &str, projects: &[ProjectFolder]) -> Result<(), RepositoryError> {
        let known = Known { projects: projects.to_vec(), ..self.known(name)? };
        Ok(self.write(name, &known)?)
    }

    /// What is known of one.
    ///
    /// # Errors
    /// When there is none, or its file cannot be read.
    pub fn known(&self, name: &str) -> Result<Known, RepositoryError> {
        if !self.has(name) {
            return Err(RepositoryError::Missing(name.to_owned()));
        }
        let Some(bytes) = base::files::read_if_exists(&self.file(name))? else { return Ok(Known::default()) };
        let broken = |error| FileError::new("read", self.file(name), std::io::Error::new(std::io::ErrorKind::InvalidData, error));
        Ok(serde_json::from_slice(&bytes).map_err(broken)?)
    }

    /// Its name, and what tells it from others that had it: what was recorded of those is not of this one.
    ///
    /// # Errors
    /// When there is none, or its file cannot be read.
    pub fn instance(&self, name: &str) -> Result<String, RepositoryError> {
        let made = self.known(name)?.made;
        Ok(if made.is_empty() { name.to_owned() } else { format!("{name}/{made}") })
    }

    /// Branches and their commits.
    ///
    /// # Errors
    /// When git cannot tell.
    pub async fn branches(&self, name: &str) -> Result<BTreeMap<String, String>, GitError> {
        let format = "--format=%(objectname) %(objecttype) %(refname)";
        let listed = self.git.at(&self.path(name)).limit(LIST_BYTES).text(&["for-each-ref", format, "refs/heads/"]).await?;
        let read = |line: &str| {
            let (id, rest) = line.split_once(' ')?;
            let branch = rest.strip_prefix("commit ")?.strip_prefix("refs/heads/")?;
            is_id(id).then(|| (branch.to_owned(), id.to_owned()))
        };
        Ok(listed.lines().filter_map(read).collect())
    }

    /// The default branch. One that is not there is replaced: by `main`, `master`, or the only one.
    ///
    /// # Errors
    /// When git cannot tell.
    pub async fn default_branch(&self, name: &str, branches: &BTreeMap<String, String>) -> Result<String, GitError> {
        let head = self.git.at(&self.path(name)).text(&["symbolic-ref", "HEAD"]).await?;
        let head = head.strip_prefix("refs/heads/").unwrap_or(&head).to_owned();
        if branches.contains_key(&head) {
            return Ok(head);
        }
        let only = branches.keys().next().filter(|_| branches.len() == 1).map(String::as_str);
        let other = ["main", "master"].into_iter().find(|known| branches.contains_key(*known)).or(only);
        let Some(other) = other else { return Ok(head) };
        self.git.at(&self.path(name)).run(&["symbolic-ref", "HEAD", &format!("refs/heads/{other}")]).await?;
        Ok(other.to_owned())
    }

    /// A commit's author and subject, as much of them as fits.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn commit(&self, name: &str, id: &str) -> Result<Commit, GitError> {
        let shown = ["log", "-1", "--no-show-signature", "--format=%an%x00%s", id, "--"];
        let said = self.git.at(&self.path(name)).limit(64 << 10).beginning(&shown).await?;
        let (author, subject) = said.split_once('\0').unwrap_or((&said, ""));
        let short = |text: &str| text.chars().take(200).collect();
        Ok(Commit { id: id.to_owned(), author: short(author), subject: short(subject) })
    }

    /// Whether a commit has a folder: itself, and nothing that a link leads to.
    ///
    /// # Errors
    /// When git cannot tell.
    pub async fn has_folder(&self, name: &str, id: &str, folder: &ProjectFolder) -> Result<bool, GitError> {
        match self.git.at(&self.path(name)).text(&["cat-file", "-t", &tree(id, folder)]).await {
            Ok(kind) => Ok(kind == "tree"),
            Err(GitError::Failed { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The `wharf.yaml` of a commit's project; `None` when it has none.
    ///
    /// # Errors
    /// When it is larger than 1 MiB, or cannot be read.
    pub async fn settings(&self, name: &str, id: &str, folder: &ProjectFolder) -> Result<Option<String>, GitError> {
        let path = self.path(name);
        let list = ["ls-tree", "--format=%(objecttype) %(objectname)", &tree(id, folder), "--", "wharf.yaml"];
        let listed = self.git.at(&path).text(&list).await?;
        let Some(blob) = listed.strip_prefix("blob ") else { return Ok(None) };
        let content = self.git.at(&path).limit(SETTINGS_BYTES).run(&["cat-file", "blob", blob]).await?;
        Ok(Some(String::from_utf8_lossy(&content).into_owned()))
    }

    /// The files that differ between two commits; `None` where that cannot be told, or they are too many.
    pub async fn changed(&self, name: &str, old: &str, new: &str) -> Option<Vec<String>> {
        let arguments = ["diff-tree", "-r", "-z", "--name-only", "--no-renames", old, new];
        let said = self.git.at(&self.path(name)).limit(LIST_BYTES).run(&arguments).await.ok()?;
        let files = said.split(|byte| *byte == 0).filter(|file| !file.is_empty());
        Some(files.map(|file| String::from_utf8_lossy(file).into_owned()).collect())
    }

    /// Fetches everything of a repository that lies elsewhere; whole, never shallow.
    ///
    /// # Errors
    /// When it cannot be fetched, or is shallow itself.
    pub async fn fetch(&self, name: &str, url: &str, token: Option<&str>) -> Result<(), GitError> {
        let path = self.path(name);
        let mut ask = self.git.at(&path).out("http:https:git:ssh:file", FETCH);
        if let Some((key, value)) = token.and_then(|token| authorization(url, token)) {
            ask = ask.with(key, value);
        }
        let all =
            ["fetch", "--quiet", "--prune", "--no-recurse-submodules", "--", url, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
        let remote = ask.clone();
        let (_, talk) = ask.both(&all).await?;
        // What would make this one shallow, too, is left out by git, with a warning only.
        if talk.contains("shallow") || path.join("shallow").exists() {
            let said = format!("`{url}` is shallow: a part of its history is missing");
            return Err(GitError::Failed { what: "fetch".to_owned(), said });
        }
        // Which branch is the default one is the remote's to say; one without commits, or none, leaves it as it was.
        let head = remote.text(&["ls-remote", "--symref", "--", url, "HEAD"]).await?;
        if let Some(branch) = head.lines().find_map(|line| line.strip_prefix("ref: ")?.strip_suffix("\tHEAD"))
            && branch.starts_with("refs/heads/")
        {
            self.git.at(&path).run(&["symbolic-ref", "HEAD", branch]).await?;
        }
        Ok(())
    }
}

/// A folder of a commit, as git names it (gitrevisions(7)).
fn tree(id: &str, folder: &ProjectFolder) -> String {
    format!("{id}:{}", folder.as_str())
}

/// The setting that sends a token as a password, to this server alone.
pub(crate) fn authorization(url: &str, token: &str) -> Option<(String, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let place = rest.split('/').next()?;
    let place = place.rsplit_once('@').map_or(place, |(_, host)| host);
    let pair = format!("x-access-token:{}", token.trim());
    let value = format!("Authorization: Basic {}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pair));
    Some((format!("http.{}://{place}/.extraHeader", scheme.to_ascii_lowercase()), value))
}

/// Whether a repository may be named so.
pub fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let ends = [".git", ".json", ".lock"].iter().any(|end| name.ends_with(end));
    name.len() <= 100
        && name.bytes().all(plain)
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && !ends
        && !name.contains("..")
}
