//! NetworkPolicy of `networking.k8s.io`.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

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
    schema: &generated::networking_v1::NETWORK_POLICY,
    subresources: &[],
    default: defaults::network::network_policy,
    validate: validate::network::network_policy,
    support: &[],
};

/// NetworkPolicy.
pub const NETWORK_POLICY: &Kind = &FACTS;
