//! Role of `rbac.authorization.k8s.io`.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    kind: "Role",
    resource: "roles",
    singular: "role",
    short: &[],
    categories: &[],
    scope: Scope::Namespaced,
    has_status: false,
};

/// Role.
pub const ROLE: &Kind = &FACTS;
