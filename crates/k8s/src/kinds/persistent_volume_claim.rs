//! PersistentVolumeClaim of the core group.

use super::{Kind, Scope};
use crate::{defaults, generated, support, validate};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "PersistentVolumeClaim",
    resource: "persistentvolumeclaims",
    singular: "persistentvolumeclaim",
    short: &["pvc"],
    categories: &[],
    scope: Scope::Namespaced,
    has_status: true,
    schema: &generated::core_v1::PERSISTENT_VOLUME_CLAIM,
    subresources: &[],
    default: defaults::storage::persistent_volume_claim,
    validate: validate::storage::claim,
    support: support::CLAIM,
};

/// PersistentVolumeClaim.
pub const PERSISTENT_VOLUME_CLAIM: &Kind = &FACTS;
