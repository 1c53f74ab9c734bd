//! Secret of the core group.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "Secret",
    resource: "secrets",
    singular: "secret",
    short: &[],
    categories: &[],
    scope: Scope::Namespaced,
    has_status: false,
};

/// Secret.
pub const SECRET: &Kind = &FACTS;
