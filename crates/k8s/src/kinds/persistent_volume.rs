//! PersistentVolume of the core group.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "PersistentVolume",
    resource: "persistentvolumes",
    singular: "persistentvolume",
    short: &["pv"],
    categories: &[],
    scope: Scope::Cluster,
    has_status: true,
};

/// PersistentVolume.
pub const PERSISTENT_VOLUME: &Kind = &FACTS;
