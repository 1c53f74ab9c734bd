//! Where a kind's objects are found: its group, version, plural name and scope.

use k8s::{Kind, ObjectRef};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A kind, known or discovered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: String,
    /// Such as `v1`.
    pub version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// Such as `deployments`.
    pub plural: String,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
}

impl From<&Kind> for Resource {
    fn from(kind: &Kind) -> Self {
        Self {
            group: kind.group.to_owned(),
            version: kind.version.to_owned(),
            kind: kind.kind.to_owned(),
            plural: kind.resource.to_owned(),
            namespaced: kind.is_namespaced(),
        }
    }
}

impl Resource {
    /// `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// The kind in our own table, where it is there.
    pub fn known(&self) -> Option<&'static Kind> {
        k8s::kinds::find(&self.api_version(), &self.kind)
    }

    /// The reference of one of its objects, where the kind is in our own table.
    pub fn object_ref(&self, namespace: &str, name: &str) -> Option<ObjectRef> {
        Some(ObjectRef::new(self.known()?, namespace, name))
    }

    /// `/api/v1/namespaces/NS/pods/NAME`; an empty namespace means all of them, an empty name the collection.
    pub(crate) fn path(&self, namespace: &str, name: &str) -> String {
        let mut path =
            if self.group.is_empty() { format!("/api/{}", self.version) } else { format!("/apis/{}/{}", self.group, self.version) };
        if self.namespaced && !namespace.is_empty() {
            path += &format!("/namespaces/{}", escape(namespace));
        }
        path += &format!("/{}", self.plural);
        if !name.is_empty() {
            path += &format!("/{}", escape(name));
        }
        path
    }
}

/// A path segment or query value with everything but the plainest letters escaped.
pub(crate) fn escape(text: &str) -> String {
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s::kinds;

    #[test]
    fn paths_are_where_the_api_has_them() {
        let at = |kind: &Kind, namespace: &str, name: &str| Resource::from(kind).path(namespace, name);
        assert_eq!(at(kinds::POD, "jobs", "a"), "/api/v1/namespaces/jobs/pods/a");
        assert_eq!(at(kinds::DEPLOYMENT, "", ""), "/apis/apps/v1/deployments");
        assert_eq!(at(kinds::NAMESPACE, "ignored", "x"), "/api/v1/namespaces/x");
        assert_eq!(at(kinds::CLUSTER_ROLE, "", "system:node"), "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode");
        assert_eq!(at(kinds::SECRET, "a/../b", "..%2f"), "/api/v1/namespaces/a%2F..%2Fb/secrets/..%252f");
    }
}
