//! LimitRange of the core group.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "LimitRange",
    resource: "limitranges",
    singular: "limitrange",
    short: &["limits"],
    categories: &[],
    scope: Scope::Namespaced,
    has_status: false,
    schema: &generated::core_v1::LIMIT_RANGE,
    subresources: &[],
    default: defaults::core::limit_range,
    validate: validate::quota::limit_range,
    support: &[],
};

/// LimitRange.
pub const LIMIT_RANGE: &Kind = &FACTS;
