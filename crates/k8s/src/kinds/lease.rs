//! Lease of `coordination.k8s.io`.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "coordination.k8s.io",
    version: "v1",
    kind: "Lease",
    resource: "leases",
    singular: "lease",
    short: &[],
    categories: &[],
    scope: Scope::Namespaced,
    has_status: false,
};

/// Lease.
pub const LEASE: &Kind = &FACTS;
