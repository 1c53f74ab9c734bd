//! Node of the core group.

use super::{Kind, Scope};
use crate::{defaults, generated, support, validate};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "Node",
    resource: "nodes",
    singular: "node",
    short: &["no"],
    categories: &[],
    scope: Scope::Cluster,
    has_status: true,
    schema: &generated::core_v1::NODE,
    subresources: &[],
    default: defaults::core::node,
    validate: validate::core::node,
    support: support::NODE,
};

/// Node.
pub const NODE: &Kind = &FACTS;
