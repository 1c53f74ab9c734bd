//! EndpointSlice of `discovery.k8s.io`.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

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
    schema: &generated::discovery_v1::ENDPOINT_SLICE,
    subresources: &[],
    default: defaults::network::endpoint_slice,
    validate: validate::network::endpoint_slice,
    support: &[],
};

/// EndpointSlice.
pub const ENDPOINT_SLICE: &Kind = &FACTS;
