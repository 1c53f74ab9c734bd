//! LimitRange of the core group.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "LimitRange",
    resource: "limitranges",
    singular: "limitrange",
    short: &["limits"],
    categories: &[],
    scope: Scope::Namespaced,
    has_status: false,
};

/// LimitRange.
pub const LIMIT_RANGE: &Kind = &FACTS;
