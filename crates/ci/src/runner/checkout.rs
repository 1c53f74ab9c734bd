//! A commit in a folder: its whole history, its very tree, nothing that leads out of it.

use super::{RunnerOptions, lanes};
use crate::folder::ProjectFolder;
use crate::git::{Ask, GitError};
use crate::repositories::authorization;
use crate::run::Cause;
use crate::server::wire::Job;
use base::{Finding, Place, Severity};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// For what comes over the network.
const FETCH: Duration = Duration::from_secs(15 * 60);
/// How often the server is asked for a commit, over four seconds or so.
const TRIES: usize = 5;
/// A list of all files fits into this.
const LIST_BYTES: usize = 64 << 20;
/// Links that are told.
const TOLD: usize = 50;

/// A commit that is checked out.
pub(super) struct Checkout {
    /// The project's.
    pub(super) folder: PathBuf,
    pub(super) summary: String,
    pub(super) detail: Value,
    pub(super) findings: Vec<Finding>,
}

/// Why it could not be.
pub(super) struct Refused {
    pub(super) cause: Cause,
    pub(super) findings: Vec<Finding>,
}

impl Refused {
    pub(super) fn new(kind: &str, exit_code: u8, message: impl Into<String>) -> Self {
        Self { cause: Cause { kind: kind.to_owned(), message: message.into(), hints: Vec::new(), exit_code }, findings: Vec::new() }
    }
}

/// Where it is stuck.
enum Stuck {
    /// At the server.
    Server(GitError),
    /// Here: the disk, or what an earlier run left.
    Here(GitError),
    /// At what the commit is.
    Refused(Refused),
}

impl From<GitError> for Stuck {
    fn from(error: GitError) -> Self {
        Self::Here(error)
    }
}

impl From<Refused> for Stuck {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<Stuck> for Refused {
    fn from(stuck: Stuck) -> Self {
        match stuck {
            Stuck::Server(error @ GitError::Start(_)) | Stuck::Here(error) => Self::new("host", 5, error.to_string()),
            Stuck::Server(error) => Self::new("unreachable", 4, error.to_string()),
            Stuck::Refused(refused) => refused,
        }
    }
}

/// Checks the commit of a run out. The folder is its lane's own and kept: what git ignores stays for the next run.
pub(super) async fn check_out(options: &RunnerOptions, job: &Job) -> Result<Checkout, Refused> {
    let lane = options.work.join(lane(job));
    let folder = lane.join(&job.taken.run.repository);
    let url = options.server.join(&job.repository).map_err(|error| Refused::new("defect", 70, error.to_string()))?.to_string();
    let here = Here { options, folder: &folder, url: &url };
    let host = |error: String| Refused::new("host", 5, error);
    let is_new = !folder.exists();
    lanes::remove_old(&options.work, &lane);
    base::files::make_folder(&folder, 0o700).map_err(|error| host(error.to_string()))?;
    lanes::mark(&lane).map_err(|error| host(format!("cannot write to {}: {error}", lane.display())))?;
    match here.check_out(job).await {
        Err(stuck) if !is_new && here.is_broken(&stuck).await => {
            // A run before was killed in the middle of what git did here: nothing of it is worth more than this one.
            std::fs::remove_dir_all(&folder).map_err(|error| host(format!("cannot remove {}: {error}", folder.display())))?;
            base::files::make_folder(&folder, 0o700).map_err(|error| host(error.to_string()))?;
            Ok(here.check_out(job).await?)
        }
        done => Ok(done?),
    }
}

/// A name for what goes one after the other: readable, and different for all that is different.
fn lane(job: &Job) -> String {
    let run = &job.taken.run;
    // A project at the root has the folder that it had before there were others.
    let project = if run.project.is_root() { String::new() } else { format!("\0{}", run.project) };
    let whole = format!("{}\0{}\0{}{project}", run.repository, run.branch, run.environment);
    let digest = ring::digest::digest(&ring::digest::SHA256, whole.as_bytes());
    let safe: String = run.branch.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
    format!("{safe}-{}", base::ids::hex(digest.as_ref().get(..6).unwrap_or_default()))
}

struct Here<'a> {
    options: &'a RunnerOptions,
    folder: &'a Path,
    url: &'a str,
}

impl<'a> Here<'a> {
    fn git(&self) -> Ask<'a> {
        self.options.git.at(self.folder)
    }

    async fn check_out(&self, job: &Job) -> Result<Checkout, Stuck> {
        let run = &job.taken.run;
        if !self.folder.join(".git").is_dir() {
            let format = if run.commit.id.len() == 64 { "--object-format=sha256" } else { "--object-format=sha1" };
            self.git().run(&["init", "--quiet", "--template=", format, "."]).await?;
        }
        // A run before may have been killed in the middle.
        let _ = std::fs::remove_file(self.folder.join(".git/index.lock"));
        let commits = self.fetch(&run.commit.id).await?;
        self.git().out("none", FETCH).run(&["checkout", "--quiet", "--force", "--detach", &run.commit.id, "--"]).await?;
        self.git().out("none", FETCH).run(&["clean", "-ffdq"]).await?;
        let found = self.git().text(&["rev-parse", "HEAD", "HEAD^{tree}"]).await?;
        let (head, tree) = found.split_once('\n').unwrap_or((&found, ""));
        if head != run.commit.id {
            return Err(Refused::new("defect", 70, format!("git checked {head} out, and not {}", run.commit.id)).into());
        }
        self.refuse_links(Path::new("")).await?;
        let project = self.project(&run.project, head)?;
        let findings = self.submodules(job.taken.work.submodules).await?;
        let short = |id: &str| id.chars().take(12).collect::<String>();
        Ok(Checkout {
            summary: format!("commit {}, tree {}, whole history of {commits} commits", short(head), short(tree)),
            detail: json!({"commit": head, "tree": tree, "commits": commits, "shallow": false}),
            findings,
            folder: project,
        })
    }

    /// Whether it is this folder that is stuck: what git does here alone, or a fetch from a server that does answer.
    async fn is_broken(&self, stuck: &Stuck) -> bool {
        match stuck {
            Stuck::Here(GitError::Start(_)) | Stuck::Server(GitError::Start(_)) | Stuck::Refused(_) => false,
            Stuck::Here(_) => true,
            Stuck::Server(_) => {
                // Asked from beside it, where nothing of it is read.
                let beside = Here { folder: self.folder.parent().unwrap_or(self.folder), ..*self };
                beside.out().run(&["ls-remote", "--quiet", "--", self.url, "HEAD"]).await.is_ok()
            }
        }
    }

    /// git with the way to the server and what opens it.
    fn out(&self) -> Ask<'a> {
        let mut ask = self.git().out("http:https", FETCH);
        if let Some((key, value)) = authorization(self.url, &self.options.token) {
            ask = ask.with(key, value);
        }
        if self.options.trust == net::client::Trust::Unchecked && self.options.server.origin.tls {
            ask = ask.with("http.sslVerify", "false");
        }
        ask
    }

    /// Asks the server, again where it does not answer: it may be starting anew.
    async fn ask_server(&self, arguments: &[&str]) -> Result<(), GitError> {
        let mut pause = Duration::from_millis(250);
        for _ in 1..TRIES {
            match self.out().run(arguments).await {
                Err(GitError::Failed { .. }) => tokio::time::sleep(pause).await,
                other => return other.map(|_| ()),
            }
            pause *= 2;
        }
        self.out().run(arguments).await.map(|_| ())
    }

    /// Fetches all branches, tags and the commit; the answer is how many commits lead to it.
    async fn fetch(&self, commit: &str) -> Result<String, Stuck> {
        let fetch = ["fetch", "--quiet", "--force", "--prune", "--no-recurse-submodules"];
        let all = ["--", self.url, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"];
        self.ask_server(&[&fetch[..], &all].concat()).await.map_err(Stuck::Server)?;
        let object = format!("{commit}^{{commit}}");
        if self.git().run(&["cat-file", "-e", &object]).await.is_err() {
            // The branch was moved away from it since.
            self.ask_server(&["fetch", "--quiet", "--no-recurse-submodules", "--", self.url, commit]).await.map_err(Stuck::Server)?;
        }
        if self.is_shallow().await? {
            let _ = self.out().run(&[&fetch[..], &["--unshallow"], &all].concat()).await;
            if self.is_shallow().await? {
                return Err(
                    Refused::new("work", 1, format!("the clone of `{}` is shallow: a part of its history is missing", self.url)).into()
                );
            }
        }
        Ok(self.git().text(&["rev-list", "--count", commit]).await?)
    }

    async fn is_shallow(&self) -> Result<bool, GitError> {
        Ok(self.git().text(&["rev-parse", "--is-shallow-repository"]).await? == "true")
    }

    /// A link that leads out of the tree would make the run depend on this machine, and show what is on it. Also of the tree of a
    /// submodule, at its path.
    async fn refuse_links(&self, at: &Path) -> Result<(), Stuck> {
        let listed = self.listed(at).await?;
        let root = self.folder.canonicalize().map_err(|error| Refused::new("host", 5, error.to_string()))?;
        let findings: Vec<Finding> = entries(&listed, b"120000 ").filter_map(|path| leads_out(&root, &at.join(path))).take(TOLD).collect();
        if findings.is_empty() {
            return Ok(());
        }
        let message = format!("{} of the repository's links lead out of its tree", findings.len());
        let hints = vec!["replace each by a file, or by a link inside of the repository".to_owned()];
        Err(Refused { cause: Cause { kind: "work".to_owned(), message, hints, exit_code: 1 }, findings }.into())
    }

    /// All files of the commit that is checked out at a path.
    async fn listed(&self, at: &Path) -> Result<Vec<u8>, GitError> {
        self.options.git.at(&self.folder.join(at)).limit(LIST_BYTES).run(&["ls-tree", "-r", "-z", "--full-tree", "HEAD"]).await
    }

    /// The folder of the project: in the tree itself, and nothing that a link leads to.
    fn project(&self, project: &ProjectFolder, commit: &str) -> Result<PathBuf, Refused> {
        if project.is_root() {
            return Ok(self.folder.to_owned());
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let opened = rustix::fs::open(self.folder, flags, Mode::empty())
            .and_then(|root| rustix::fs::openat2(&root, project.as_str(), flags, Mode::empty(), within));
        let why = match opened {
            Ok(_) => return Ok(self.folder.join(project.as_str())),
            Err(rustix::io::Errno::NOENT) => "has no folder".to_owned(),
            Err(rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => "has a file or a link, and no folder, at".to_owned(),
            Err(error) => return Err(Refused::new("host", 5, format!("cannot enter `{project}`: {error}"))),
        };
        let mut refused = Refused::new("usage", 2, format!("commit {} {why} `{project}`", commit.get(..12).unwrap_or(commit)));
        refused.cause.hints.push("`wharf ci repository set NAME --folder DIR`, on the server, says where the project is".to_owned());
        Err(refused)
    }

    async fn submodules(&self, wanted: bool) -> Result<Vec<Finding>, Stuck> {
        if !self.folder.join(".gitmodules").is_file() {
            return Ok(Vec::new());
        }
        if wanted {
            let update = ["submodule", "--quiet", "update", "--init", "--recursive", "--force"];
            // Those with a path from this repository's, on the same server, are reached as it is.
            self.out().with("remote.origin.url", self.url).run(&update).await.map_err(Stuck::Server)?;
            let mut open = vec![PathBuf::new()];
            while let Some(at) = open.pop() {
                for path in entries(&self.listed(&at).await?, b"160000 ").map(|path| at.join(path)) {
                    if self.folder.join(&path).join(".git").exists() {
                        self.refuse_links(&path).await?;
                        open.push(path);
                    }
                }
            }
            return Ok(Vec::new());
        }
        let finding = Finding::new("submodules", Severity::Info, Place::in_file(".gitmodules", 1, 1), "its submodules are not fetched");
        Ok(vec![finding.with_help("`ci: { submodules: true }` in wharf.yaml fetches them")])
    }
}

/// The paths of what `ls-tree -z` lists with a mode.
fn entries<'a>(listed: &'a [u8], mode: &'static [u8]) -> impl Iterator<Item = &'a Path> {
    let entries = listed.split(|byte| *byte == 0).filter(move |entry| entry.starts_with(mode));
    entries.filter_map(|entry| entry.splitn(2, |byte| *byte == b'\t').nth(1)).map(|path| Path::new(OsStr::from_bytes(path)))
}

/// What is wrong with a link that leads out of the tree: by its words, or by where it really ends.
fn leads_out(root: &Path, path: &Path) -> Option<Finding> {
    let target = std::fs::read_link(root.join(path)).ok()?;
    let by_words = is_outside(path.parent().unwrap_or(Path::new("")), &target);
    let really = root.join(path).canonicalize().is_ok_and(|end| !end.starts_with(root));
    (by_words || really).then(|| {
        let place = Place { file: Some(path.display().to_string()), ..Place::default() };
        let message = format!("the link leads to `{}`, out of the repository", target.display());
        Finding::new("link-outside", Severity::Error, place, message)
    })
}

fn is_outside(folder: &Path, target: &Path) -> bool {
    let mut depth = 0usize;
    for part in folder.components().chain(target.components()) {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_out_are_known_by_their_words() {
        let rows = [
            ("", "a", false),
            ("", "../a", true),
            ("a/b", "../../c", false),
            ("a/b", "../../../c", true),
            ("a", "/etc/passwd", true),
            ("a", "./b/../../c", false),
        ];
        for (folder, target, outside) in rows {
            assert_eq!(is_outside(Path::new(folder), Path::new(target)), outside, "{folder} {target}");
        }
    }

    #[test]
    fn a_chain_of_links_is_followed_to_its_end() {
        let root = std::env::temp_dir().join(format!("wharf-links-{}", base::ids::suffix(8)));
        std::fs::create_dir_all(root.join("a/b")).expect("made");
        let root = root.canonicalize().expect("there");
        let link = |target: &str, path: &str| std::os::unix::fs::symlink(target, root.join(path)).expect("linked");
        link("../..", "a/b/up");
        link("a/b/up/..", "out");
        link("a/b", "in");
        link("nowhere", "dangling");
        let outside = |path: &str| leads_out(&root, Path::new(path)).is_some();
        assert_eq!(["a/b/up", "out", "in", "dangling"].map(outside), [false, true, false, false]);
        std::fs::remove_dir_all(root).expect("removed");
    }
}
