//! Namespace of the core group.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "Namespace",
    resource: "namespaces",
    singular: "namespace",
    short: &["ns"],
    categories: &[],
    scope: Scope::Cluster,
    has_status: true,
};

/// Namespace.
pub const NAMESPACE: &Kind = &FACTS;
