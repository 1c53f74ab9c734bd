//! Event of the core group.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "Event",
    resource: "events",
    singular: "event",
    short: &["ev"],
    categories: &[],
    scope: Scope::Namespaced,
    has_status: false,
};

/// Event.
pub const EVENT: &Kind = &FACTS;
