//! ADD of git repositories.

use super::{Begun, Stage};
use crate::context::Context;
use crate::copy::{self, Job};
use crate::error::Trouble;
use crate::ignore::Ignore;
use crate::key::Key;
use crate::origin::Origin;
use crate::outside::{CheckOut, Repository};
use crate::repository::{Address, by_secure_shell, check_commit, host, is_repository};
use crate::secret::Secret;
use dockerfile::Add;
use oci::Digest;

/// The secret with a token for repositories; with a dot and a host behind it, for those of that host alone (as with BuildKit).
const TOKEN: &str = "GIT_AUTH_TOKEN";
/// The agent whose keys open repositories.
const AGENT: &str = "default";

impl Stage<'_> {
    /// The repository that an ADD names, if it does.
    pub(super) fn repository(&self, add: &Add, job: &Job) -> Result<Option<Address>, Trouble> {
        let mut paths = job.sources.iter().filter_map(|source| if let copy::Source::Path(path) = source { Some(path) } else { None });
        let Some(path) = paths.find(|path| is_repository(path)) else {
            if add.keep_git_dir.is_some() {
                return Err(Trouble::new("--keep-git-dir is for repositories, and nothing else").hint("leave it out"));
            }
            return Ok(None);
        };
        if job.sources.len() > 1 {
            return Err(Trouble::new("ADD of a repository and of other things together is not supported").hint("write an ADD for each"));
        }
        let mut address = Address::parse(path).map_err(|why| Trouble::new(format!("the repository `{path}`: {why}")))?;
        if let Some(text) = &add.checksum {
            let text = self.expand(text)?;
            check_commit(&text).map_err(|why| Trouble::new(format!("--checksum={text}: {why}")))?;
            address.commit = text;
        }
        Ok(Some(address))
    }

    /// Adds a commit's files, unless it is known what comes out: a commit's id says all of its content.
    pub(super) fn clone_from(&mut self, begun: Begun, add: &Add, mut job: Job, address: Address) -> Result<(), Trouble> {
        let repository = self.opened(&address)?;
        let asked = || self.shared.outside.repositories.commit(&repository);
        let commit = if is_whole(&address.reference) { address.reference.clone() } else { asked()? };
        if !commit.starts_with(&address.commit) {
            let message = format!("the repository `{}` has the commit {commit} there; expected {}", address.url, address.commit);
            return Err(Trouble::new(message).hint("if it was meant to change, write the new commit"));
        }
        let how = CheckOut { keep_git_dir: add.keep_git_dir.or(address.keep_git_dir).unwrap_or(false), submodules: address.submodules };
        job.sources = vec![copy::Source::Path(format!("/{}", address.folder))];
        // `.git` tells where it came from.
        let whence = if how.keep_git_dir { address.url.as_str() } else { "" };
        let known = Digest::of(format!("{commit} {} {} {whence}", how.keep_git_dir, how.submodules).as_bytes());
        let quick = job.by_name(Key::new("ADD", &self.below(&job)), "commit", known);
        if let Some(layer) = self.recall(&quick) {
            return self.finish(begun, layer, None);
        }
        let temp = self.shared.store.temp()?;
        let folder = temp.path().join("repository");
        self.shared.outside.repositories.check_out(&repository, &commit, how, &folder)?;
        let context = Context::open(&folder, Ignore::default(), temp.path().join("index"))?;
        let origin = Origin::Context(&context);
        if origin.at(&format!("/{}", address.folder)).is_err() {
            return Err(Trouble::new(format!("the repository `{}` has no `{}` at {commit}", address.url, address.folder)));
        }
        self.transfer_now(begun, "ADD", &job, &origin, Some(quick))
    }

    /// With what opens it.
    fn opened(&self, address: &Address) -> Result<Repository, Trouble> {
        let request = self.shared.request;
        let own = format!("{TOKEN}.{}", host(&address.url));
        let token = [own.as_str(), TOKEN].into_iter().find_map(|id| match request.secrets.get(id)? {
            Secret::Missing(_) => None,
            secret => Some(secret.read(id)),
        });
        let agent = request.agents.get(AGENT).cloned();
        if agent.is_none() && by_secure_shell(&address.url) {
            let trouble = Trouble::new(format!("the repository `{}` is opened with an ssh key, and none was given", address.url));
            return Err(trouble.hint("pass `--ssh default`, or `--ssh default=KEY`, or write its https address"));
        }
        Ok(Repository { url: address.url.clone(), reference: address.reference.clone(), token: token.transpose()?, agent })
    }
}

/// Whether a reference is a commit's whole id, which nobody needs to be asked for.
fn is_whole(reference: &str) -> bool {
    [40, 64].contains(&reference.len()) && check_commit(reference).is_ok()
}
