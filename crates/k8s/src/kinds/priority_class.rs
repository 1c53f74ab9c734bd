//! PriorityClass of `scheduling.k8s.io`.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "scheduling.k8s.io",
    version: "v1",
    kind: "PriorityClass",
    resource: "priorityclasses",
    singular: "priorityclass",
    short: &["pc"],
    categories: &[],
    scope: Scope::Cluster,
    has_status: false,
};

/// PriorityClass.
pub const PRIORITY_CLASS: &Kind = &FACTS;
