//! Pod of the core group.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "Pod",
    resource: "pods",
    singular: "pod",
    short: &["po"],
    categories: &["all"],
    scope: Scope::Namespaced,
    has_status: true,
    schema: &generated::core_v1::POD,
    subresources: &[],
    default: defaults::nothing,
    validate: validate::metadata,
    support: &[],
};

/// Pod.
pub const POD: &Kind = &FACTS;
