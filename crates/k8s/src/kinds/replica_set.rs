//! ReplicaSet of `apps`.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

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
    schema: &generated::apps_v1::REPLICA_SET,
    subresources: &[],
    default: defaults::nothing,
    validate: validate::metadata,
    support: &[],
};

/// ReplicaSet.
pub const REPLICA_SET: &Kind = &FACTS;
