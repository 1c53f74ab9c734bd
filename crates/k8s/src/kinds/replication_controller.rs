//! ReplicationController of the core group.

use super::{Kind, Scope, Subresource};
use crate::{defaults, generated, support, validate};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "ReplicationController",
    resource: "replicationcontrollers",
    singular: "replicationcontroller",
    short: &["rc"],
    categories: &["all"],
    scope: Scope::Namespaced,
    has_status: true,
    schema: &generated::core_v1::REPLICATION_CONTROLLER,
    subresources: &[
        Subresource { name: "scale", body: ("autoscaling", "v1", "Scale"), verbs: &["get", "patch", "update"] },
    ],
    default: defaults::workload::replication_controller,
    validate: validate::workload::replication_controller,
    support: support::pod::TEMPLATE,
};

/// ReplicationController.
pub const REPLICATION_CONTROLLER: &Kind = &FACTS;
