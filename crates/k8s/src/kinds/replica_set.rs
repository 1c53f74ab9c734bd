//! ReplicaSet of `apps`.

use super::{Kind, Scope, Subresource};
use crate::{defaults, generated, support, validate};

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
    subresources: &[
        Subresource { name: "scale", body: ("autoscaling", "v1", "Scale"), verbs: &["get", "patch", "update"] },
    ],
    default: defaults::workload::replica_set,
    validate: validate::workload::replica_set,
    support: support::pod::TEMPLATE,
};

/// ReplicaSet.
pub const REPLICA_SET: &Kind = &FACTS;
