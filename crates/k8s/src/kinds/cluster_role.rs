//! ClusterRole of `rbac.authorization.k8s.io`.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    kind: "ClusterRole",
    resource: "clusterroles",
    singular: "clusterrole",
    short: &[],
    categories: &[],
    scope: Scope::Cluster,
    has_status: false,
};

/// ClusterRole.
pub const CLUSTER_ROLE: &Kind = &FACTS;
