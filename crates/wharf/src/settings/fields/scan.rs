//! What is known against packages, and what of it stops a run.

use crate::settings::section::{section, words};
use std::time::Duration;

section! {
    /// Where what is known against packages comes from.
    Advisories {
        /// What `wharf advisories update` fetches: an index in a registry, such as `registry.example.com/advisories:latest`, or a file.
        "from" from: Option<String>,
        /// The ssh keys of those whose indexes are trusted; without them those that this machine built or was told to trust.
        "keys" keys: Vec<String>,
        /// Base images to compare with what Dockerfiles build on; besides them those of the same name that are on this machine.
        "bases" bases: Vec<String>,
    }
}

section! {
    /// Which security findings stop a run.
    ScanGate {
        /// What a finding that counts does.
        "mode" mode: GateMode = "fail",
        /// Those of this severity or worse count; those that nobody weighed count as high.
        "fail-on" fail_on: VulnerabilitySeverity = "high",
        /// Whether those without a fixed version are let through.
        "only-fixable" only_fixable: bool = "true",
        /// What a file that could not be read does, and an ecosystem that the advisories know nothing of.
        "unjudged" unjudged: UnjudgedMode = "fail",
        /// Advisories older than this stop it too.
        "advisories-at-most" advisories_at_most: Option<Duration>,
        /// Whether packages for development count too.
        "development" development: bool = "false",
        /// Findings to live with for a while.
        "ignore" ignore: Vec<Ignored>,
    }
}

section! {
    /// A finding to live with for a while.
    Ignored {
        /// Its id, or one of its aliases.
        "id" id: String,
        /// In this package alone.
        "package" package: Option<String>,
        /// Why.
        "reason" reason: String,
        /// The last day, such as `2027-01-31`; then it counts again.
        "until" until: String,
    }
}

words! {
    /// What a finding that counts does.
    GateMode {
        /// It stops the run.
        "fail" Fail,
        /// It is told, and the run goes on.
        "warn" Warn,
        /// It is kept, and the run goes on.
        "report-only" ReportOnly,
    }
}

words! {
    /// What it does that something could not be judged.
    UnjudgedMode {
        /// What a finding that counts does.
        "fail" Fail,
        /// It is told, and the run goes on.
        "warn" Warn,
    }
}

words! {
    /// How bad a vulnerability is.
    VulnerabilitySeverity {
        /// Low or worse.
        "low" Low,
        /// Medium or worse.
        "medium" Medium,
        /// High or worse.
        "high" High,
        /// Critical ones only.
        "critical" Critical,
        /// None stops the run: they are reported only.
        "none" None,
    }
}
