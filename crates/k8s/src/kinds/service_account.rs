//! ServiceAccount of the core group.

use super::{Kind, Scope};

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
};

/// ServiceAccount.
pub const SERVICE_ACCOUNT: &Kind = &FACTS;
