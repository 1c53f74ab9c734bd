//! ControllerRevision of `apps`.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "apps",
    version: "v1",
    kind: "ControllerRevision",
    resource: "controllerrevisions",
    singular: "controllerrevision",
    short: &[],
    categories: &[],
    scope: Scope::Namespaced,
    has_status: false,
};

/// ControllerRevision.
pub const CONTROLLER_REVISION: &Kind = &FACTS;
