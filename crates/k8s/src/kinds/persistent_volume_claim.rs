//! PersistentVolumeClaim of the core group.

use super::{Kind, Scope};

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
};

/// PersistentVolumeClaim.
pub const PERSISTENT_VOLUME_CLAIM: &Kind = &FACTS;
