//! Service of the core group.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "Service",
    resource: "services",
    singular: "service",
    short: &["svc"],
    categories: &["all"],
    scope: Scope::Namespaced,
    has_status: true,
};

/// Service.
pub const SERVICE: &Kind = &FACTS;
