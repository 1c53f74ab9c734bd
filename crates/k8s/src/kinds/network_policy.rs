//! NetworkPolicy of `networking.k8s.io`.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "networking.k8s.io",
    version: "v1",
    kind: "NetworkPolicy",
    resource: "networkpolicies",
    singular: "networkpolicy",
    short: &["netpol"],
    categories: &[],
    scope: Scope::Namespaced,
    has_status: false,
};

/// NetworkPolicy.
pub const NETWORK_POLICY: &Kind = &FACTS;
