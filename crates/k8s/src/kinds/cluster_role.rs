//! ClusterRole of `rbac.authorization.k8s.io`.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

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
    schema: &generated::rbac_v1::CLUSTER_ROLE,
    subresources: &[],
    default: defaults::nothing,
    validate: validate::rbac::cluster_role,
    support: &[],
};

/// ClusterRole.
pub const CLUSTER_ROLE: &Kind = &FACTS;
