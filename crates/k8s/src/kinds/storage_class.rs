//! StorageClass of `storage.k8s.io`.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "storage.k8s.io",
    version: "v1",
    kind: "StorageClass",
    resource: "storageclasses",
    singular: "storageclass",
    short: &["sc"],
    categories: &[],
    scope: Scope::Cluster,
    has_status: false,
};

/// StorageClass.
pub const STORAGE_CLASS: &Kind = &FACTS;
