//! How registries are reached, as projects say it: one file for each project below the home, which the command line writes and the
//! engine reads when it pulls. Like the settings of a node's runtime they hold for every pod, whichever project named them.

use base::files;
use base::{Problem, ProblemKind};
use blobs::remote::RemoteOptions;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What one project says of registries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Registries {
    /// Hosts that are spoken to in plain HTTP or without checking their certificate.
    pub insecure: Vec<String>,
    /// Hosts or addresses that are asked first, by the registry that they stand for.
    pub mirrors: BTreeMap<String, Vec<String>>,
    /// Certificates in PEM that are trusted beside the system's.
    pub authorities: Vec<String>,
}

/// The folder below the home.
pub(crate) const FOLDER: &str = "registries";
/// Projects that are read, and bytes of what one says.
const MOST_PROJECTS: usize = 1_024;
const MOST_BYTES: usize = 4 << 20;

fn path(home: &Path, project: &str) -> Option<PathBuf> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (!project.is_empty() && project.bytes().all(plain)).then(|| home.join(FOLDER).join(format!("{project}.json")))
}

impl Registries {
    /// Tells the engine of a home what a project says; what it said before no longer holds. `project` is a DNS label.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn tell(&self, home: &Path, project: &str) -> Result<(), Problem> {
        let failed = |error: &dyn std::fmt::Display| {
            Problem::new(ProblemKind::Host, format!("cannot tell the engine how registries are reached: {error}"))
        };
        let path = path(home, project).ok_or_else(|| failed(&format!("`{project}` is no project's name")))?;
        if *self == Self::default() {
            return match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(&error)),
                _ => Ok(()),
            };
        }
        let bytes = serde_json::to_vec_pretty(self).map_err(|error| failed(&error))?;
        if files::read_if_exists(&path).ok().flatten().is_some_and(|known| known == bytes) {
            return Ok(());
        }
        let folder = home.join(FOLDER);
        files::make_folder(&folder, 0o700).and_then(|()| files::write_atomically(&path, &bytes, 0o600)).map_err(|error| failed(&error))
    }

    /// What all projects of a home say, the first in the alphabet first.
    ///
    /// # Errors
    /// A sentence that names the file which cannot be read.
    pub(crate) fn of_home(home: &Path) -> Result<Self, String> {
        let mut all = Self::default();
        let entries = std::fs::read_dir(home.join(FOLDER)).into_iter().flatten().flatten().take(MOST_PROJECTS);
        let mut paths: Vec<PathBuf> =
            entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
        paths.sort();
        for path in paths {
            let bytes = files::read_up_to(&path, MOST_BYTES).map_err(|error| error.to_string())?;
            let one: Self = serde_json::from_slice(&bytes).map_err(|error| format!("`{}`: {error}", path.display()))?;
            all.add(one);
        }
        Ok(all)
    }

    fn add(&mut self, other: Self) {
        fn join(to: &mut Vec<String>, more: Vec<String>) {
            for one in more {
                if !to.contains(&one) {
                    to.push(one);
                }
            }
        }
        join(&mut self.insecure, other.insecure);
        join(&mut self.authorities, other.authorities);
        for (registry, mirrors) in other.mirrors {
            join(self.mirrors.entry(registry).or_default(), mirrors);
        }
    }

    pub(crate) fn into_options(self) -> RemoteOptions {
        let Self { insecure, mirrors, authorities } = self;
        RemoteOptions { insecure, mirrors, authorities, ..RemoteOptions::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projects_add_up_and_take_back_what_they_said() {
        let home = std::env::temp_dir().join(format!("wharf-registries-{}-{}", std::process::id(), base::ids::suffix(8)));
        let said = |hosts: &[&str], mirrors: &[&str]| Registries {
            insecure: hosts.iter().map(|host| (*host).to_owned()).collect(),
            mirrors: [("docker.io".to_owned(), mirrors.iter().map(|host| (*host).to_owned()).collect())].into(),
            authorities: vec!["PEM".into()],
        };
        assert_eq!(Registries::of_home(&home), Ok(Registries::default()));
        said(&["b"], &["m2", "m1"]).tell(&home, "two").expect("told");
        said(&["a", "b"], &["m1"]).tell(&home, "one").expect("told");
        assert_eq!(Registries::of_home(&home), Ok(said(&["a", "b"], &["m1", "m2"])));
        Registries::default().tell(&home, "one").expect("told");
        Registries::default().tell(&home, "one").expect("nothing to take back");
        assert_eq!(Registries::of_home(&home), Ok(said(&["b"], &["m2", "m1"])));
        assert!(Registries::default().tell(&home, "../x").is_err());
        std::fs::write(home.join(FOLDER).join("bad.json"), "{").expect("written");
        assert!(Registries::of_home(&home).expect_err("no JSON").contains("bad.json"));
        std::fs::remove_dir_all(home).expect("removed");
    }
}
