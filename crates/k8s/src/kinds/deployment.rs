//! Deployment of `apps`.

use super::{Kind, Scope};

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
};

/// Deployment.
pub const DEPLOYMENT: &Kind = &FACTS;
