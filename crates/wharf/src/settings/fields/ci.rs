//! What `ci` in `wharf.yaml` can say.

use crate::settings::section::section;
use std::time::Duration;

section! {
    /// Which runs a push to `wharf ci serve` begins.
    Ci {
        /// Each one that fits begins a run. Where none is written, the default branch is taken to `local` with all stages, and others run
        /// the stages that deploy nothing.
        "runs" runs: Vec<CiRun>,
        /// How long runs, logs and artefacts are kept; by default as long as the server says.
        "keep" keep: Option<Duration>,
        /// Whether submodules are fetched.
        "submodules" submodules: bool = "false",
    }
}

section! {
    /// A run that a push begins.
    CiRun {
        /// What must hold.
        "only" only: CiOnly,
        /// The environment that it works on.
        "env" env: String = "local",
        /// Only these stages.
        "stages" stages: Vec<String>,
        /// Not these stages.
        "skip" skip: Vec<String>,
        /// Files that are kept of it, relative to the project.
        "artefacts" artefacts: Vec<String>,
    }
}

section! {
    /// What must hold for a push to begin a run. In patterns `*` stands for any characters but `/`, `**` for any, `?` for one.
    CiOnly {
        /// Patterns of branches, one of which must fit; every branch does where none is written.
        "branches" branches: Vec<String>,
        /// Patterns of files, one of which must have changed; every change counts where none is written.
        "paths" paths: Vec<String>,
    }
}
