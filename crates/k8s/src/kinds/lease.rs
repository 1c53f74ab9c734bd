//! Lease of `coordination.k8s.io`.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

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
    schema: &generated::coordination_v1::LEASE,
    subresources: &[],
    default: defaults::nothing,
    validate: validate::core::lease,
    support: &[],
};

/// Lease.
pub const LEASE: &Kind = &FACTS;
