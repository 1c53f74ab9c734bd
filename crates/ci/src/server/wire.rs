//! What a server and its runners say to one another, as JSON.

use crate::runs::{Said, Taken};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The header of the attempt's token.
pub(crate) const ATTEMPT: &str = "x-wharf-attempt";

/// The largest answer that a runner reads, which is a run with its secrets.
pub(crate) const JOB_BYTES: usize = 4 << 20;

/// Who asks for a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asks {
    /// Its name, for people.
    pub(crate) runner: String,
    /// Its process: random.
    pub(crate) instance: String,
}

/// A run for a runner.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    #[serde(flatten)]
    pub(crate) taken: Taken,
    /// Where the repository is, on the server.
    pub(crate) repository: String,
    /// The variables of the run, which are to be seen nowhere.
    pub(crate) secrets: BTreeMap<String, String>,
    /// Bytes of a stage's log that are kept.
    pub(crate) log_bytes: u64,
}

/// What is said of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Says {
    /// The number of the first.
    pub(crate) from: u64,
    pub(crate) said: Vec<Said>,
}
