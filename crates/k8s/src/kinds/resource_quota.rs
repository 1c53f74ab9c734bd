//! ResourceQuota of the core group.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "ResourceQuota",
    resource: "resourcequotas",
    singular: "resourcequota",
    short: &["quota"],
    categories: &[],
    scope: Scope::Namespaced,
    has_status: true,
};

/// ResourceQuota.
pub const RESOURCE_QUOTA: &Kind = &FACTS;
