//! RoleBinding of `rbac.authorization.k8s.io`.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    kind: "RoleBinding",
    resource: "rolebindings",
    singular: "rolebinding",
    short: &[],
    categories: &[],
    scope: Scope::Namespaced,
    has_status: false,
};

/// RoleBinding.
pub const ROLE_BINDING: &Kind = &FACTS;
