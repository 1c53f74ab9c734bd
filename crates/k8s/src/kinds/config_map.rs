//! ConfigMap of the core group.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "ConfigMap",
    resource: "configmaps",
    singular: "configmap",
    short: &["cm"],
    categories: &[],
    scope: Scope::Namespaced,
    has_status: false,
};

/// ConfigMap.
pub const CONFIG_MAP: &Kind = &FACTS;
