//! Service of the core group.

use super::{Kind, Scope, Subresource};
use crate::{defaults, generated, support, validate};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "Service",
    resource: "services",
    singular: "service",
    short: &["svc"],
    categories: &["all"],
    scope: Scope::Namespaced,
    has_status: true,
    schema: &generated::core_v1::SERVICE,
    subresources: &[
        Subresource { name: "proxy", body: ("", "v1", "ServiceProxyOptions"), verbs: &["create", "delete", "get", "patch", "update"] },
    ],
    default: defaults::service::service,
    validate: validate::service::service,
    support: support::SERVICE,
};

/// Service.
pub const SERVICE: &Kind = &FACTS;
