//! ClusterRoleBinding of `rbac.authorization.k8s.io`.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

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
    schema: &generated::rbac_v1::CLUSTER_ROLE_BINDING,
    subresources: &[],
    default: defaults::rbac::cluster_role_binding,
    validate: validate::rbac::cluster_role_binding,
    support: &[],
};

/// ClusterRoleBinding.
pub const CLUSTER_ROLE_BINDING: &Kind = &FACTS;
