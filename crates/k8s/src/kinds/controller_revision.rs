//! ControllerRevision of `apps`.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

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
    schema: &generated::apps_v1::CONTROLLER_REVISION,
    subresources: &[],
    default: defaults::nothing,
    validate: validate::workload::controller_revision,
    support: &[],
};

/// ControllerRevision.
pub const CONTROLLER_REVISION: &Kind = &FACTS;
