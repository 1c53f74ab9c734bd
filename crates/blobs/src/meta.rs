//! What is known of a layer beside its content.

use oci::DiffId;
use serde::{Deserialize, Serialize};

/// A layer's own record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerMeta {
    /// The digest of its archive.
    pub diff_id: DiffId,
    /// Bytes of its archive.
    pub size: u64,
    /// Members of its archive.
    pub members: u64,
    /// Bytes of its files.
    pub content: u64,
}
