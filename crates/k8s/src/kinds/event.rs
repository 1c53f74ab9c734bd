//! Event of the core group.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

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
    schema: &generated::core_v1::EVENT,
    subresources: &[],
    default: defaults::nothing,
    validate: validate::core::event,
    support: &[],
};

/// Event.
pub const EVENT: &Kind = &FACTS;
