//! Node of the core group.

use super::{Kind, Scope};

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
};

/// Node.
pub const NODE: &Kind = &FACTS;
