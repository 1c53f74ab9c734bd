//! The kinds that Wharf knows, one file each; [`KINDS`] lists them.

use crate::schema::Message;
use crate::support::Support;
use crate::{Cause, Value};
use std::hash::{Hash, Hasher};

/// Whether objects of a kind live in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In one namespace.
    Namespaced,
    /// In none.
    Cluster,
}

/// All facts of one kind. Compared by group, version and kind.
#[derive(Debug)]
pub struct Kind {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version, such as `v1`.
    pub version: &'static str,
    /// Such as `Deployment`.
    pub kind: &'static str,
    /// Plural, such as `deployments`.
    pub resource: &'static str,
    /// Such as `deployment`.
    pub singular: &'static str,
    /// Short names that kubectl takes, such as `deploy`.
    pub short: &'static [&'static str],
    /// `all` for what `kubectl get all` lists.
    pub categories: &'static [&'static str],
    /// Namespaced or cluster-wide.
    pub scope: Scope,
    /// Whether `/status` is a subresource and `status` cannot be written otherwise.
    pub has_status: bool,
    /// Its message in the table of facts.
    pub schema: &'static Message,
    /// What stands below one object, such as `scale`; `status` is told by [`Kind::has_status`].
    pub subresources: &'static [Subresource],
    /// Fills in what the API server fills in before it stores an object. Idempotent.
    pub default: fn(&mut Value),
    /// What is wrong with an object that has its defaults; with the stored object when it is an update.
    pub validate: fn(&Value, Option<&Value>) -> Vec<Cause>,
    /// Fields that do not act, see [`crate::support`]; all others do.
    pub support: &'static [Support],
}

/// A subresource other than `status`.
#[derive(Debug)]
pub struct Subresource {
    /// Such as `scale`.
    pub name: &'static str,
    /// Group, version and kind of its body.
    pub body: (&'static str, &'static str, &'static str),
    /// Such as `get`, `create`.
    pub verbs: &'static [&'static str],
}

impl Kind {
    /// `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `deployments.apps`, or `pods` for the core group.
    pub fn qualified_resource(&self) -> String {
        if self.group.is_empty() { self.resource.to_owned() } else { format!("{}.{}", self.resource, self.group) }
    }

    /// The kind of a list of them, such as `PodList`.
    pub fn list_kind(&self) -> String {
        format!("{}List", self.kind)
    }

    /// Whether objects live in a namespace.
    pub fn is_namespaced(&self) -> bool {
        self.scope == Scope::Namespaced
    }

    fn identity(&self) -> (&'static str, &'static str, &'static str) {
        (self.group, self.version, self.kind)
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Kind {}

impl PartialOrd for Kind {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Kind {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.identity().cmp(&other.identity())
    }
}

impl Hash for Kind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

/// The kind with this API version (`v1`, `apps/v1`) and name.
pub fn find(api_version: &str, kind: &str) -> Option<&'static Kind> {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    KINDS.iter().copied().find(|known| known.group == group && known.version == version && known.kind == kind)
}

/// The kind with this group, version and plural name.
pub fn find_resource(group: &str, version: &str, resource: &str) -> Option<&'static Kind> {
    KINDS.iter().copied().find(|known| known.group == group && known.version == version && known.resource == resource)
}

mod request;

pub use request::{REQUESTS, RequestKind};

macro_rules! kinds {
    ($($module:ident $constant:ident),* $(,)?) => {
        $(mod $module; pub use $module::$constant;)*
        /// Every kind that is served.
        pub const KINDS: &[&Kind] = &[$($constant),*];
    };
}

kinds! {
    namespace NAMESPACE,
    node NODE,
    pod POD,
    pod_template POD_TEMPLATE,
    service SERVICE,
    endpoints ENDPOINTS,
    config_map CONFIG_MAP,
    secret SECRET,
    service_account SERVICE_ACCOUNT,
    persistent_volume PERSISTENT_VOLUME,
    persistent_volume_claim PERSISTENT_VOLUME_CLAIM,
    resource_quota RESOURCE_QUOTA,
    limit_range LIMIT_RANGE,
    event EVENT,
    events_event EVENTS_EVENT,
    replication_controller REPLICATION_CONTROLLER,
    replica_set REPLICA_SET,
    deployment DEPLOYMENT,
    controller_revision CONTROLLER_REVISION,
    endpoint_slice ENDPOINT_SLICE,
    network_policy NETWORK_POLICY,
    ingress_class INGRESS_CLASS,
    lease LEASE,
    role ROLE,
    cluster_role CLUSTER_ROLE,
    role_binding ROLE_BINDING,
    cluster_role_binding CLUSTER_ROLE_BINDING,
    storage_class STORAGE_CLASS,
    priority_class PRIORITY_CLASS,
    runtime_class RUNTIME_CLASS,
}
