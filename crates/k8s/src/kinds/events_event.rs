//! Event of `events.k8s.io`.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "events.k8s.io",
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
pub const EVENTS_EVENT: &Kind = &FACTS;
