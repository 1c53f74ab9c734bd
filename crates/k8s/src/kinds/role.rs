//! Role of `rbac.authorization.k8s.io`.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

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
    schema: &generated::rbac_v1::ROLE,
    subresources: &[],
    default: defaults::nothing,
    validate: validate::rbac::role,
    support: &[],
};

/// Role.
pub const ROLE: &Kind = &FACTS;
