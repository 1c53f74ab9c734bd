//! Endpoints of the core group.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "Endpoints",
    resource: "endpoints",
    singular: "endpoints",
    short: &["ep"],
    categories: &[],
    scope: Scope::Namespaced,
    has_status: false,
    schema: &generated::core_v1::ENDPOINTS,
    subresources: &[],
    default: defaults::network::endpoints,
    validate: validate::network::endpoints,
    support: &[],
};

/// Endpoints.
pub const ENDPOINTS: &Kind = &FACTS;
