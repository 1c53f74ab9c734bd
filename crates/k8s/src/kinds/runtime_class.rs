//! RuntimeClass of `node.k8s.io`.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

static FACTS: Kind = Kind {
    group: "node.k8s.io",
    version: "v1",
    kind: "RuntimeClass",
    resource: "runtimeclasses",
    singular: "runtimeclass",
    short: &[],
    categories: &[],
    scope: Scope::Cluster,
    has_status: false,
    schema: &generated::node_v1::RUNTIME_CLASS,
    subresources: &[],
    default: defaults::nothing,
    validate: validate::core::runtime_class,
    support: &[],
};

/// RuntimeClass.
pub const RUNTIME_CLASS: &Kind = &FACTS;
