//! ReplicaSet of `apps`.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "apps",
    version: "v1",
    kind: "ReplicaSet",
    resource: "replicasets",
    singular: "replicaset",
    short: &["rs"],
    categories: &["all"],
    scope: Scope::Namespaced,
    has_status: true,
};

/// ReplicaSet.
pub const REPLICA_SET: &Kind = &FACTS;
