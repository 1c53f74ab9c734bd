//! PersistentVolume of the core group.

use super::{Kind, Scope};
use crate::{defaults, generated, support, validate};

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
    schema: &generated::core_v1::PERSISTENT_VOLUME,
    subresources: &[],
    default: defaults::storage::persistent_volume,
    validate: validate::storage::volume,
    support: support::VOLUME,
};

/// PersistentVolume.
pub const PERSISTENT_VOLUME: &Kind = &FACTS;
