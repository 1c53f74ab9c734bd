//! Namespace of the core group.

use super::{Kind, Scope, Subresource};
use crate::{defaults, generated, validate};

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
    schema: &generated::core_v1::NAMESPACE,
    subresources: &[
        Subresource { name: "finalize", body: ("", "v1", "Namespace"), verbs: &["update"] },
    ],
    default: defaults::core::namespace,
    validate: validate::core::namespace,
    support: &[],
};

/// Namespace.
pub const NAMESPACE: &Kind = &FACTS;
