//! PodTemplate of the core group.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "PodTemplate",
    resource: "podtemplates",
    singular: "podtemplate",
    short: &[],
    categories: &[],
    scope: Scope::Namespaced,
    has_status: false,
    schema: &generated::core_v1::POD_TEMPLATE,
    subresources: &[],
    default: defaults::workload::pod_template,
    validate: validate::workload::pod_template,
    support: &[],
};

/// PodTemplate.
pub const POD_TEMPLATE: &Kind = &FACTS;
