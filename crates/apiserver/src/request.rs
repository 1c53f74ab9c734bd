//! What a request asks for: its path, verb and query.

use k8s::{ApiError, Kind};

/// The verb that authorization sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// One object.
    Get,
    /// Many.
    List,
    /// Changes.
    Watch,
    /// A new object, or a subresource that is asked by POST.
    Create,
    /// A whole new body.
    Update,
    /// A part.
    Patch,
    /// One object.
    Delete,
    /// Many.
    DeleteCollection,
}

impl Verb {
    /// As RBAC rules name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

/// What a path below `/api` or `/apis` names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourcePath {
    /// API group; empty for the core group.
    pub group: String,
    /// Version.
    pub version: String,
    /// Namespace; empty for all, and for what has none.
    pub namespace: String,
    /// Plural.
    pub resource: String,
    /// Name; empty for the collection.
    pub name: String,
    /// Such as `status`; may hold slashes (`proxy`).
    pub subresource: String,
    /// Whether the path is of the old form `/api/v1/watch/...`.
    pub watch: bool,
}

impl ResourcePath {
    /// Reads a path; `None` when it names no resource (discovery, or something else).
    pub fn parse(path: &str) -> Option<Self> {
        let decoded: Vec<String> = path.trim_matches('/').split('/').map(percent_decoded).collect();
        let mut parts = decoded.iter().map(String::as_str);
        let (group, version) = match parts.next()? {
            "api" => ("", parts.next()?),
            "apis" => (parts.next()?, parts.next()?),
            _ => return None,
        };
        let mut rest: Vec<&str> = parts.collect();
        let watch = rest.first() == Some(&"watch");
        if watch {
            rest.remove(0);
        }
        let (namespace, rest) = match rest.as_slice() {
            // The namespace's own subresources stand at the same place as resources in it.
            ["namespaces", _, "status" | "finalize"] | ["namespaces"] | ["namespaces", _] => ("", rest.as_slice()),
            ["namespaces", namespace, rest @ ..] => (*namespace, rest),
            rest => ("", rest),
        };
        let (resource, rest) = rest.split_first()?;
        let (name, subresource) = rest.split_first().map_or(("", String::new()), |(name, rest)| (*name, rest.join("/")));
        let owned = |text: &str| text.to_owned();
        Some(Self {
            group: owned(group),
            version: owned(version),
            namespace: owned(namespace),
            resource: owned(resource),
            name: owned(name),
            subresource,
            watch,
        })
    }

    /// The verb of a method on this path.
    pub fn verb(&self, method: &http::Method, watch: bool) -> Option<Verb> {
        let one = !self.name.is_empty();
        Some(match (method.as_str(), one) {
            ("GET" | "HEAD", _) if (watch || self.watch) && self.subresource.is_empty() => Verb::Watch,
            ("GET" | "HEAD", true) => Verb::Get,
            ("GET" | "HEAD", false) => Verb::List,
            ("POST", _) => Verb::Create,
            ("PUT", true) => Verb::Update,
            ("PATCH", true) => Verb::Patch,
            ("DELETE", true) => Verb::Delete,
            ("DELETE", false) => Verb::DeleteCollection,
            _ => return None,
        })
    }
}

/// One object, or a collection of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The kind.
    pub kind: &'static Kind,
    /// Its namespace; empty for cluster-wide kinds, and for a collection over all namespaces.
    pub namespace: String,
    /// Its name; empty for a collection.
    pub name: String,
    /// Such as `status`; empty for the object itself.
    pub subresource: String,
}

impl Target {
    /// An object itself.
    pub fn object(kind: &'static Kind, namespace: &str, name: &str) -> Self {
        Self { kind, namespace: namespace.to_owned(), name: name.to_owned(), subresource: String::new() }
    }

    /// A subresource of it.
    #[must_use]
    pub fn below(mut self, subresource: &str) -> Self {
        subresource.clone_into(&mut self.subresource);
        self
    }

    /// The store's key of the object.
    pub fn key(&self) -> String {
        key(self.kind, &self.namespace, &self.name)
    }

    /// 404 for it.
    pub fn not_found(&self) -> ApiError {
        ApiError::not_found(self.kind, &self.name)
    }
}

/// The store's key of an object.
pub fn key(kind: &Kind, namespace: &str, name: &str) -> String {
    format!("/{}.{}/{namespace}/{name}", kind.resource, kind.group)
}

/// The store's prefix of a kind, in one namespace or in all.
pub fn prefix(kind: &Kind, namespace: &str) -> String {
    if namespace.is_empty() && kind.is_namespaced() {
        format!("/{}.{}/", kind.resource, kind.group)
    } else {
        format!("/{}.{}/{namespace}/", kind.resource, kind.group)
    }
}

/// A query string, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=b&c=d`.
    pub fn parse(text: &str) -> Self {
        let pair = |part: &str| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            (percent_decoded(&key.replace('+', " ")), percent_decoded(&value.replace('+', " ")))
        };
        Self(text.split('&').filter(|part| !part.is_empty()).map(pair).collect())
    }

    /// The first value of a parameter, or empty.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// All values of a parameter.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }

    /// Whether a parameter says yes: `true`, `1`, `t`, or stands without a value.
    pub fn flag(&self, name: &str) -> bool {
        self.0.iter().any(|(key, value)| key == name && !matches!(value.as_str(), "false" | "0" | "f" | "F" | "False" | "FALSE"))
    }

    /// Whether a parameter is there.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// A number.
    ///
    /// # Errors
    /// 400 when it is there and no number.
    pub fn number(&self, name: &str) -> Result<Option<i64>, ApiError> {
        match self.get(name) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| ApiError::bad_request(format!("invalid value {text:?} of parameter `{name}`"))),
        }
    }
}

/// `%41` is `A`; what is no escape stays as it is.
pub fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape = (byte == b'%').then(|| bytes.get(at + 1..at + 3)).flatten();
        let decoded = escape.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        out.push(decoded.unwrap_or(byte));
        at += if decoded.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_resources() {
        let path = |text: &str| {
            let path = ResourcePath::parse(text).expect("a resource");
            [path.group, path.version, path.namespace, path.resource, path.name, path.subresource]
        };
        assert_eq!(path("/api/v1/pods"), ["", "v1", "", "pods", "", ""]);
        assert_eq!(path("/api/v1/namespaces/a"), ["", "v1", "", "namespaces", "a", ""]);
        assert_eq!(path("/api/v1/namespaces/a/status"), ["", "v1", "", "namespaces", "a", "status"]);
        assert_eq!(path("/api/v1/namespaces/a/pods/b/log"), ["", "v1", "a", "pods", "b", "log"]);
        assert_eq!(path("/apis/apps/v1/namespaces/a/deployments/b%2Fc/scale"), ["apps", "v1", "a", "deployments", "b/c", "scale"]);
        assert!(ResourcePath::parse("/api/v1/watch/pods").expect("a resource").watch);
        for none in ["/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/healthz", "/"] {
            assert_eq!(ResourcePath::parse(none), None, "{none}");
        }
    }

    #[test]
    fn queries_are_decoded() {
        let query = Query::parse("labelSelector=a%3Db%2Cc+in+%28d%29&watch&limit=5&x=%zz");
        assert_eq!(query.get("labelSelector"), "a=b,c in (d)");
        assert!(query.flag("watch") && !query.flag("follow"));
        assert_eq!(query.number("limit"), Ok(Some(5)));
        assert_eq!(query.get("x"), "%zz");
        assert!(query.number("x").is_err());
    }
}
