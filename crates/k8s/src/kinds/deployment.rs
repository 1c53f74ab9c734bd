//! Deployment of `apps`.

use super::{Kind, Scope, Subresource};
use crate::{defaults, generated, support, validate};

static FACTS: Kind = Kind {
    group: "apps",
    version: "v1",
    kind: "Deployment",
    resource: "deployments",
    singular: "deployment",
    short: &["deploy"],
    categories: &["all"],
    scope: Scope::Namespaced,
    has_status: true,
    schema: &generated::apps_v1::DEPLOYMENT,
    subresources: &[
        Subresource { name: "scale", body: ("autoscaling", "v1", "Scale"), verbs: &["get", "patch", "update"] },
    ],
    default: defaults::workload::deployment,
    validate: validate::workload::deployment,
    support: support::pod::TEMPLATE,
};

/// Deployment.
pub const DEPLOYMENT: &Kind = &FACTS;
