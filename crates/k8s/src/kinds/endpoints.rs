//! Endpoints of the core group.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "Endpoints",
    resource: "endpoints",
    singular: "endpoints",
    short: &["ep"],
    categories: &[],
    scope: Scope::Namespaced,
    has_status: false,
};

/// Endpoints.
pub const ENDPOINTS: &Kind = &FACTS;
