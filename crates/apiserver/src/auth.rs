//! Who asks, and whether they may.

pub mod rbac;
pub mod reviews;
pub mod token;

use crate::core::Core;
use crate::user::{AUTHENTICATED, MASTERS, User};
use k8s::ApiError;
use net::Peer;
use x509_parser::prelude::{FromDer, X509Certificate};

/// State of authentication and authorization.
pub struct Auth {
    /// Roles and bindings, ready to be asked.
    pub rules: rbac::Rules,
    /// Tokens whose signature was checked lately.
    pub tokens: token::Checked,
}

/// What is asked for, as rules see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Such as `get`.
    pub verb: String,
    /// API group.
    pub group: String,
    /// Version; only for messages of reviews.
    pub version: String,
    /// Plural; empty for a path that is no resource.
    pub resource: String,
    /// Such as `status`.
    pub subresource: String,
    /// Empty for all, and for what has none.
    pub namespace: String,
    /// Empty for many.
    pub name: String,
    /// The path where `resource` is empty.
    pub path: String,
}

impl Core {
    /// Who asks, by certificate or token.
    ///
    /// # Errors
    /// 401 for credentials that do not hold; none at all is nobody known.
    pub fn authenticate(&self, peer: &Peer, authorization: Option<&str>) -> Result<User, ApiError> {
        if let Some(user) = peer.certificate.as_ref().and_then(|certificate| certificate_user(certificate)) {
            return Ok(user);
        }
        let Some(header) = authorization else { return Ok(User::anonymous()) };
        let (scheme, token) = header.split_once(' ').unwrap_or((header, ""));
        if !scheme.eq_ignore_ascii_case("bearer") || token.trim().is_empty() {
            return Ok(User::anonymous());
        }
        self.token_user(token.trim(), None).map_err(|_| ApiError::new(401, "Unauthorized", "Unauthorized"))
    }

    /// Whether a user may do something.
    pub fn may(&self, user: &User, asked: &Attributes) -> bool {
        user.is_in(MASTERS) || self.auth.rules.allow(&self.objects, user, asked)
    }

    /// Refuses what a user may not do.
    ///
    /// # Errors
    /// 403 in the words of the API server.
    pub fn authorize(&self, user: &User, asked: &Attributes) -> Result<(), ApiError> {
        if self.may(user, asked) { Ok(()) } else { Err(refused(user, asked)) }
    }
}

/// 403. Source: apiserver `pkg/endpoints/handlers/responsewriters/errors.go`.
pub fn refused(user: &User, asked: &Attributes) -> ApiError {
    let who = &user.name;
    if asked.resource.is_empty() {
        return ApiError::new(403, "Forbidden", format!("forbidden: User {who:?} cannot {} path {:?}", asked.verb, asked.path));
    }
    let qualified = if asked.group.is_empty() { asked.resource.clone() } else { format!("{}.{}", asked.resource, asked.group) };
    let resource = if asked.subresource.is_empty() { asked.resource.clone() } else { format!("{}/{}", asked.resource, asked.subresource) };
    let scope =
        if asked.namespace.is_empty() { "at the cluster scope".to_owned() } else { format!("in the namespace {:?}", asked.namespace) };
    let named = if asked.name.is_empty() { String::new() } else { format!(" {:?}", asked.name) };
    let why = format!(
        "{qualified}{named} is forbidden: User {who:?} cannot {} resource {resource:?} in API group {:?} {scope}",
        asked.verb, asked.group
    );
    let mut error = ApiError::new(403, "Forbidden", why);
    (error.resource, error.group, error.name) = (asked.resource.clone(), asked.group.clone(), asked.name.clone());
    error
}

/// The common name is the user, the organisations are the groups. Source: apiserver `pkg/authentication/request/x509`.
fn certificate_user(certificate: &[u8]) -> Option<User> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().next()?.as_str().ok()?.to_owned();
    let mut groups: Vec<String> = subject.iter_organization().filter_map(|group| group.as_str().ok().map(str::to_owned)).collect();
    groups.push(AUTHENTICATED.to_owned());
    (!name.is_empty()).then(|| User { name, groups, ..User::default() })
}
