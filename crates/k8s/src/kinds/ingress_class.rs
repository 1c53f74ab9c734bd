//! IngressClass of `networking.k8s.io`.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

static FACTS: Kind = Kind {
    group: "networking.k8s.io",
    version: "v1",
    kind: "IngressClass",
    resource: "ingressclasses",
    singular: "ingressclass",
    short: &[],
    categories: &[],
    scope: Scope::Cluster,
    has_status: false,
    schema: &generated::networking_v1::INGRESS_CLASS,
    subresources: &[],
    default: defaults::network::ingress_class,
    validate: validate::network::ingress_class,
    support: &[],
};

/// IngressClass.
pub const INGRESS_CLASS: &Kind = &FACTS;
