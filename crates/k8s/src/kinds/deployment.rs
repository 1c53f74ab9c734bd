//! Deployment of `apps`.

use super::{Kind, Scope};
use crate::{defaults, generated, validate};

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
    subresources: &[],
    default: defaults::nothing,
    validate: validate::metadata,
    support: &[],
};

/// Deployment.
pub const DEPLOYMENT: &Kind = &FACTS;
