//! ResourceQuota of the core group.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "ResourceQuota",
    resource: "resourcequotas",
    singular: "resourcequota",
    short: &["quota"],
    categories: &[],
    scope: Scope::Namespaced,
    has_status: true,
    schema: &generated::core_v1::RESOURCE_QUOTA,
    subresources: &[],
    default: defaults::core::resource_quota,
    validate: validate::quota::resource_quota,
    support: &[],
};

/// ResourceQuota.
pub const RESOURCE_QUOTA: &Kind = &FACTS;
