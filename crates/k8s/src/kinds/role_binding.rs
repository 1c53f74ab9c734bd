//! RoleBinding of `rbac.authorization.k8s.io`.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

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
    schema: &generated::rbac_v1::ROLE_BINDING,
    subresources: &[],
    default: defaults::rbac::role_binding,
    validate: validate::rbac::role_binding,
    support: &[],
};

/// RoleBinding.
pub const ROLE_BINDING: &Kind = &FACTS;
