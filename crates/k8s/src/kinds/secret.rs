//! Secret of the core group.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

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
    schema: &generated::core_v1::SECRET,
    subresources: &[],
    default: defaults::core::secret,
    validate: validate::data::secret,
    support: &[],
};

/// Secret.
pub const SECRET: &Kind = &FACTS;
