//! What loads measured, kept by release, so that the next release is compared with the one before.

use base::files;
use loadgen::{Before, Report};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Releases that are kept.
const KEPT: usize = 20;

/// One release's good measurements, by what was asked and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Measured {
    release: String,
    loads: BTreeMap<String, Before>,
}

/// A project's measurements in one environment, the oldest first.
pub struct Kept {
    path: PathBuf,
    releases: Vec<Measured>,
}

impl Kept {
    /// Of a project in an environment; nothing is known where nothing can be read.
    pub fn open(home: &Path, project: &str, environment: &str) -> Self {
        let path = home.join("loads").join(project).join(format!("{}.json", environment.replace('/', "_")));
        let known = files::read_if_exists(&path).ok().flatten().and_then(|content| serde_json::from_slice(&content).ok());
        Self { path, releases: known.unwrap_or_default() }
    }

    /// What the same load measured last of another release.
    pub fn before(&self, release: &str, load: &str) -> Option<Before> {
        self.releases.iter().rev().filter(|other| other.release != release).find_map(|other| other.loads.get(load)).cloned()
    }

    /// Keeps what a load measured; a later one of the same release takes its place.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&mut self, release: &str, load: &str, report: &Report) -> Result<(), files::FileError> {
        let at = self.releases.iter().position(|known| known.release == release);
        let mut measured = at.map(|at| self.releases.remove(at)).unwrap_or_default();
        release.clone_into(&mut measured.release);
        measured.loads.insert(load.to_owned(), Before::of(release, report));
        self.releases.push(measured);
        self.releases.drain(..self.releases.len().saturating_sub(KEPT));
        let text = serde_json::to_vec_pretty(&self.releases).unwrap_or_default();
        if let Some(folder) = self.path.parent() {
            files::make_folder(folder, 0o700)?;
        }
        files::write_atomically(&self.path, &text, 0o600)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loadgen::Percentiles;

    #[test]
    fn the_release_before_is_found_again() {
        let home = std::env::temp_dir().join(format!("wharf-kept-{}", base::ids::suffix(8)));
        let report = |p99_us| Report { service: Percentiles { p99_us, ..Percentiles::default() }, ..Report::default() };
        let mut kept = Kept::open(&home, "jobs", "local");
        assert_eq!(kept.before("a", "GET /"), None);
        for (release, time) in [("a", 1.0), ("b", 2.0), ("a", 3.0), ("c", 4.0)] {
            kept.keep(release, "GET /", &report(time)).expect("written");
        }
        let kept = Kept::open(&home, "jobs", "local");
        let before = |release| kept.before(release, "GET /").map(|before| (before.release, before.p99_us));
        assert_eq!(before("c"), Some(("a".to_owned(), 3.0)), "what served last, as it was measured last");
        assert_eq!(before("d"), Some(("c".to_owned(), 4.0)));
        assert_eq!(kept.before("c", "POST /"), None);
        assert_eq!(Kept::open(&home, "jobs", "kube").before("c", "GET /"), None);
        let mut kept = kept;
        for number in 0..KEPT + 5 {
            kept.keep(&number.to_string(), "GET /", &report(1.0)).expect("written");
        }
        assert_eq!(kept.releases.len(), KEPT);
        std::fs::remove_dir_all(home).expect("removed");
    }
}
