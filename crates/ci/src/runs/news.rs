//! News of runs, for whoever watches them.

use crate::run::RunId;
use tokio::sync::broadcast;

/// Something new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A run began, ended, or something of it changed: get it again.
    Run(RunId),
    /// A stage's log has so many lines now.
    Lines {
        /// The run.
        run: RunId,
        /// The stage.
        stage: String,
        /// All of its lines so far.
        lines: u64,
    },
    /// The reader was too slow and missed some: list again.
    Missed,
}

/// News of all runs, from now on. Dropping it ends it.
pub struct Changes(pub(super) broadcast::Receiver<Change>);

impl Changes {
    /// The next one; `None` when the server ends.
    pub async fn next(&mut self) -> Option<Change> {
        match self.0.recv().await {
            Ok(change) => Some(change),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Change::Missed),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
