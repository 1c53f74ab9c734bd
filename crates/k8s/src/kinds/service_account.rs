//! ServiceAccount of the core group.

use super::{Kind, Scope, Subresource};
use crate::{defaults, generated, validate};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "ServiceAccount",
    resource: "serviceaccounts",
    singular: "serviceaccount",
    short: &["sa"],
    categories: &[],
    scope: Scope::Namespaced,
    has_status: false,
    schema: &generated::core_v1::SERVICE_ACCOUNT,
    subresources: &[
        Subresource { name: "token", body: ("authentication.k8s.io", "v1", "TokenRequest"), verbs: &["create"] },
    ],
    default: defaults::nothing,
    validate: validate::metadata,
    support: &[],
};

/// ServiceAccount.
pub const SERVICE_ACCOUNT: &Kind = &FACTS;
