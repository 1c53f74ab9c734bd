//! What is told while work goes on; how it is shown is not decided here.

use serde::{Deserialize, Serialize};

/// What an apply did to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It was not there.
    Created,
    /// It is another now.
    Changed,
    /// It stands as it stood.
    Unchanged,
    /// It is gone.
    Pruned,
}

/// One step of the work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Progress {
    /// An object was applied or pruned.
    Object {
        /// Such as `Deployment jobs/app-a`.
        object: String,
        /// What became of it.
        change: Change,
    },
    /// An object was left alone on purpose.
    Kept {
        /// Which.
        object: String,
        /// Why.
        why: String,
    },
    /// Something to know before anything is applied.
    Noted {
        /// How much it weighs.
        severity: base::Severity,
        /// One line.
        message: String,
    },
    /// A workload is not there yet.
    Waiting {
        /// Which.
        workload: String,
        /// What it waits for.
        message: String,
    },
    /// A workload serves.
    Ready {
        /// Which.
        workload: String,
    },
    /// A workload will not serve.
    Failed {
        /// Which.
        workload: String,
        /// Why, one line.
        cause: String,
        /// Milliseconds since the first event or status that carries the cause.
        told_after_ms: u64,
    },
    /// The pods of all workloads, told whole whenever one of them is another.
    Pods {
        /// Those of the newest template first.
        pods: Vec<crate::rollout::PodSeen>,
    },
    /// The release before is put back.
    RollingBack {
        /// Its id.
        release: String,
    },
    /// Waiting until objects are gone.
    Leaving {
        /// What is still there, told whenever it is less.
        left: Vec<String>,
    },
    /// A smoke check answered as wanted.
    Checked {
        /// Such as `GET http://127.0.0.1:32000/hello`.
        check: String,
        /// Milliseconds that the answer took.
        took_ms: u64,
    },
}

/// Takes progress; called from any task.
pub type Listener = dyn Fn(Progress) + Send + Sync;
