//! Pod of the core group.

use super::{Kind, Scope, Subresource};
use crate::{defaults, generated, support, validate};

static FACTS: Kind = Kind {
    group: "",
    version: "v1",
    kind: "Pod",
    resource: "pods",
    singular: "pod",
    short: &["po"],
    categories: &["all"],
    scope: Scope::Namespaced,
    has_status: true,
    schema: &generated::core_v1::POD,
    subresources: &[
        Subresource { name: "attach", body: ("", "v1", "PodAttachOptions"), verbs: &["create", "get"] },
        Subresource { name: "binding", body: ("", "v1", "Binding"), verbs: &["create"] },
        Subresource { name: "ephemeralcontainers", body: ("", "v1", "Pod"), verbs: &["get", "patch", "update"] },
        Subresource { name: "eviction", body: ("policy", "v1", "Eviction"), verbs: &["create"] },
        Subresource { name: "exec", body: ("", "v1", "PodExecOptions"), verbs: &["create", "get"] },
        Subresource { name: "log", body: ("", "v1", "Pod"), verbs: &["get"] },
        Subresource { name: "portforward", body: ("", "v1", "PodPortForwardOptions"), verbs: &["create", "get"] },
        Subresource { name: "proxy", body: ("", "v1", "PodProxyOptions"), verbs: &["create", "delete", "get", "patch", "update"] },
        Subresource { name: "resize", body: ("", "v1", "Pod"), verbs: &["get", "patch", "update"] },
    ],
    default: defaults::pod::pod,
    validate: validate::pod::pod,
    support: support::pod::POD,
};

/// Pod.
pub const POD: &Kind = &FACTS;
