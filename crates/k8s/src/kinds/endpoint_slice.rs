//! EndpointSlice of `discovery.k8s.io`.

use super::{Kind, Scope};

static FACTS: Kind = Kind {
    group: "discovery.k8s.io",
    version: "v1",
    kind: "EndpointSlice",
    resource: "endpointslices",
    singular: "endpointslice",
    short: &[],
    categories: &[],
    scope: Scope::Namespaced,
    has_status: false,
};

/// EndpointSlice.
pub const ENDPOINT_SLICE: &Kind = &FACTS;
