//! Event of `events.k8s.io`.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

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
    schema: &generated::events_v1::EVENT,
    subresources: &[],
    default: defaults::nothing,
    validate: validate::core::events_event,
    support: &[],
};

/// Event.
pub const EVENTS_EVENT: &Kind = &FACTS;
