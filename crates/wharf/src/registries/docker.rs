//! Docker's `config.json`, where docker has it.

use super::helper::{self, Answer};
use base::files::{make_folder, read_if_exists, write_atomically};
use base::{Problem, ProblemKind};
use blobs::BlobError;
use blobs::remote::{Credential, Credentials, Secret};
use oci::registry::docker_config::{DockerConfig, helper_store, parse_helper_reply, server_name};
use std::path::PathBuf;

/// The file; it is read anew each time, so that a login counts at once.
#[derive(Clone, Debug)]
pub struct DockerFile {
    path: Option<PathBuf>,
}

impl DockerFile {
    /// The user's own: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`.
    pub fn of_user() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = variable("DOCKER_CONFIG").or_else(|| variable("HOME").map(|home| home.join(".docker")));
        Self { path: folder.map(|folder| folder.join("config.json")) }
    }

    /// Writes down who we are at a registry, with its helper where it has one; says where.
    ///
    /// # Errors
    /// When the helper refuses, or the file cannot be written.
    pub fn store(&self, registry: &str, credential: &Credential) -> Result<String, Problem> {
        let mut config = self.read().map_err(broken)?;
        let helper = config.helper(registry).map_err(|why| broken(self.wrong(&why)))?.map(str::to_owned);
        match &helper {
            Some(name) => {
                helper::run(name, "store", &helper_store(registry, credential)).map_err(|why| helpless(name, &why))?;
                config.store(registry, None);
            }
            None => config.store(registry, Some(credential)),
        }
        let path = self.write(&config)?;
        Ok(helper.map_or(path, |name| format!("the helper `docker-credential-{name}`")))
    }

    /// Forgets who we are at a registry; whether there was anything to forget.
    ///
    /// # Errors
    /// As [`DockerFile::store`].
    pub fn forget(&self, registry: &str) -> Result<bool, Problem> {
        let mut config = self.read().map_err(broken)?;
        let helper = config.helper(registry).map_err(|why| broken(self.wrong(&why)))?.map(str::to_owned);
        let known = self.of(registry).map_err(broken)?.is_some();
        if let Some(name) = helper.filter(|_| known) {
            helper::run(&name, "erase", &Secret::new(server_name(registry))).map_err(|why| helpless(&name, &why))?;
        }
        if config.forget(registry) {
            self.write(&config)?;
            return Ok(true);
        }
        Ok(known)
    }

    fn read(&self) -> Result<DockerConfig, BlobError> {
        let Some(path) = &self.path else { return Ok(DockerConfig::default()) };
        let Some(bytes) = read_if_exists(path)? else { return Ok(DockerConfig::default()) };
        DockerConfig::parse(&bytes).map_err(|why| self.wrong(&why))
    }

    fn write(&self, config: &DockerConfig) -> Result<String, Problem> {
        let Some(path) = &self.path else {
            return Err(Problem::new(
                ProblemKind::Usage,
                "cannot tell where docker's config.json is: neither $DOCKER_CONFIG nor $HOME is set",
            ));
        };
        let host = |error: base::files::FileError| Problem::new(ProblemKind::Host, error.to_string());
        // A link stays a link.
        let place = path.canonicalize().unwrap_or_else(|_| path.clone());
        if let Some(folder) = place.parent() {
            make_folder(folder, 0o700).map_err(host)?;
        }
        let bytes = config.to_bytes().map_err(|error| Problem::new(ProblemKind::Defect, error.to_string()))?;
        write_atomically(&place, &bytes, 0o600).map_err(host)?;
        Ok(format!("`{}`", path.display()))
    }

    fn wrong(&self, why: &str) -> BlobError {
        let path = self.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        BlobError::Name(format!("`{path}`: {why}"))
    }
}

impl Credentials for DockerFile {
    fn of(&self, registry: &str) -> Result<Option<Credential>, BlobError> {
        let config = self.read()?;
        if let Some(name) = config.helper(registry).map_err(|why| self.wrong(&why))? {
            let failed = |why: String| BlobError::Unsupported(format!("the credential helper `docker-credential-{name}`: {why}"));
            let Answer::Said(said) = helper::run(name, "get", &Secret::new(server_name(registry))).map_err(failed)? else {
                return Ok(None);
            };
            return parse_helper_reply(said.reveal().as_bytes()).map_err(failed);
        }
        config.stored(registry).map_err(|why| self.wrong(&why))
    }
}

fn broken(error: BlobError) -> Problem {
    crate::commands::image::problem(error)
}

fn helpless(name: &str, why: &str) -> Problem {
    Problem::new(ProblemKind::Host, format!("the credential helper `docker-credential-{name}`: {why}"))
        .hint("`credsStore` and `credHelpers` in docker's config.json name it; without them the file itself keeps the password")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_stored_is_found_and_forgotten_and_nobody_else_reads_it() {
        let folder = std::env::temp_dir().join(format!("wharf-docker-{}", base::ids::suffix(8)));
        let file = DockerFile { path: Some(folder.join("config.json")) };
        let credential = Credential::Password { user: "me".into(), password: Secret::new("hunter2") };
        assert!(file.of("h:1").expect("nothing").is_none());
        file.store("h:1", &credential).expect("stored");
        assert_eq!(file.of("h:1").expect("found"), Some(credential));
        let mode = std::fs::metadata(folder.join("config.json")).expect("file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(file.forget("h:1").expect("forgotten") && !file.forget("h:1").expect("nothing"));
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
