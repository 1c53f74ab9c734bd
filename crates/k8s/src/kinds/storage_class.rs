//! StorageClass of `storage.k8s.io`.

use super::{Kind, Scope};
use crate::{defaults, generated, support, validate};

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
    schema: &generated::storage_v1::STORAGE_CLASS,
    subresources: &[],
    default: defaults::storage::storage_class,
    validate: validate::storage::class,
    support: support::CLASS,
};

/// StorageClass.
pub const STORAGE_CLASS: &Kind = &FACTS;
