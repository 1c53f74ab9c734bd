//! Pod of the core group.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "Pod",
    resource: "pods",
    singular: "pod",
    short: &["po"],
    categories: &["all"],
    scope: Scope::Namespaced,
    has_status: true,
};

/// Pod.
pub const POD: &Kind = &FACTS;
