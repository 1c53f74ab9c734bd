//! ConfigMap of the core group.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "ConfigMap",
    resource: "configmaps",
    singular: "configmap",
    short: &["cm"],
    categories: &[],
    scope: Scope::Namespaced,
    has_status: false,
    schema: &generated::core_v1::CONFIG_MAP,
    subresources: &[],
    default: defaults::nothing,
    validate: validate::data::config_map,
    support: &[],
};

/// ConfigMap.
pub const CONFIG_MAP: &Kind = &FACTS;
