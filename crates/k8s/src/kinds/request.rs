//! Kinds that are asked and answered, never stored.

/// One of them; `create` is its only verb.
#[derive(Debug)]
pub struct RequestKind {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// Such as `TokenReview`.
    pub kind: &'static str,
    /// Plural, such as `tokenreviews`.
    pub resource: &'static str,
    /// Such as `tokenreview`.
    pub singular: &'static str,
    /// Whether its path names a namespace.
    pub namespaced: bool,
}

/// Every kind of request that is served.
pub const REQUESTS: &[RequestKind] = &[
    RequestKind { group: "", version: "v1", kind: "Binding", resource: "bindings", singular: "binding", namespaced: true },
    cluster("authentication.k8s.io", "SelfSubjectReview", "selfsubjectreviews", "selfsubjectreview"),
    cluster("authentication.k8s.io", "TokenReview", "tokenreviews", "tokenreview"),
    RequestKind {
        group: "authorization.k8s.io",
        version: "v1",
        kind: "LocalSubjectAccessReview",
        resource: "localsubjectaccessreviews",
        singular: "localsubjectaccessreview",
        namespaced: true,
    },
    cluster("authorization.k8s.io", "SelfSubjectAccessReview", "selfsubjectaccessreviews", "selfsubjectaccessreview"),
    cluster("authorization.k8s.io", "SelfSubjectRulesReview", "selfsubjectrulesreviews", "selfsubjectrulesreview"),
    cluster("authorization.k8s.io", "SubjectAccessReview", "subjectaccessreviews", "subjectaccessreview"),
];

const fn cluster(group: &'static str, kind: &'static str, resource: &'static str, singular: &'static str) -> RequestKind {
    RequestKind { group, version: "v1", kind, resource, singular, namespaced: false }
}
