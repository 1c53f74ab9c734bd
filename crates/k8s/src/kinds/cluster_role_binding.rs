//! ClusterRoleBinding of `rbac.authorization.k8s.io`.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    kind: "ClusterRoleBinding",
    resource: "clusterrolebindings",
    singular: "clusterrolebinding",
    short: &[],
    categories: &[],
    scope: Scope::Cluster,
    has_status: false,
};

/// ClusterRoleBinding.
pub const CLUSTER_ROLE_BINDING: &Kind = &FACTS;
