//! PriorityClass of `scheduling.k8s.io`.

use super::{Kind, Scope};
use crate::{defaults, generated, support, validate};

static FACTS: Kind = Kind {
    group: "scheduling.k8s.io",
    version: "v1",
    kind: "PriorityClass",
    resource: "priorityclasses",
    singular: "priorityclass",
    short: &["pc"],
    categories: &[],
    scope: Scope::Cluster,
    has_status: false,
    schema: &generated::scheduling_v1::PRIORITY_CLASS,
    subresources: &[],
    default: defaults::core::priority_class,
    validate: validate::core::priority_class,
    support: support::PRIORITY,
};

/// PriorityClass.
pub const PRIORITY_CLASS: &Kind = &FACTS;
