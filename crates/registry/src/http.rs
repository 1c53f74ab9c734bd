//! From a request to an answer: where it came to, who asks, what for, whether they may.

mod blobs;
mod identity;
mod lists;
mod manifests;
mod uploads;

use crate::error::{self, ApiError};
use crate::request::{self, NoRoute, Query, Route};
use crate::rights::{Right, Who};
use crate::server::{Access, Core};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use identity::{Door, Identity};
use net::{Body, Handler, Peer};
use std::sync::Arc;

const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");

type Answered = Result<Response<Body>, ApiError>;

/// The registry as the network sees it.
pub(crate) struct Service {
    pub(crate) core: Arc<Core>,
    /// It listens where only this machine comes: a page in a browser of it may come too.
    pub(crate) local: bool,
    /// It is reached by https.
    pub(crate) tls: bool,
}

/// One request, once it is known who asks.
struct Call<'a> {
    core: &'a Arc<Core>,
    access: Arc<Access>,
    door: Door,
    identity: Identity,
    repository: Arc<str>,
    headers: &'a HeaderMap,
    /// What would be sent is not wanted.
    head_only: bool,
    query: Query<'a>,
}

impl Handler for Service {
    async fn handle(&self, request: Request<Incoming>, _: Arc<Peer>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let mut body = Some(body);
        let mut answer = match self.answer(&head, &mut body).await {
            Ok(answer) => answer,
            Err(error) => {
                net::read_away(&head, body).await;
                error.answer()
            }
        };
        let headers = answer.headers_mut();
        headers.insert("docker-distribution-api-version", HeaderValue::from_static("registry/2.0"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        answer
    }
}

impl Service {
    async fn answer(&self, head: &http::request::Parts, body: &mut Option<Incoming>) -> Answered {
        if self.local {
            same_machine(head, &self.core.hosts)?;
        }
        let (repository, route) = request::route(head.uri.path()).map_err(no_route)?;
        let access = self.core.access();
        let door = Door::new(head, self.tls);
        let identity = door.identity(&access).await?;
        let query = Query::new(head.uri.query().unwrap_or_default());
        let call = Call {
            core: &self.core,
            access,
            door,
            identity,
            repository: repository.into(),
            headers: &head.headers,
            head_only: head.method == Method::HEAD,
            query,
        };
        call.answer(route, &head.method, body).await
    }
}

fn no_route(why: NoRoute) -> ApiError {
    match why {
        NoRoute::Unknown => ApiError::unknown(error::UNSUPPORTED, "no endpoint of a registry has this path"),
        NoRoute::Name => {
            ApiError::bad(error::NAME_INVALID, "a repository is lower-case letters and digits, joined by `.`, `_`, `__`, `-` and `/`")
        }
        NoRoute::Digest(why) => why.into(),
        NoRoute::Tag => {
            ApiError::bad(error::MANIFEST_INVALID, "a tag is 1 to 128 letters, digits, `_`, `.`, `-`, and begins with none of the last two")
        }
    }
}

/// A page in a browser is told apart by its `Origin`, and by a `Host` that is a name of the attacker's (DNS rebinding).
fn same_machine(head: &http::request::Parts, hosts: &[String]) -> Result<(), ApiError> {
    let refuse =
        |what: &str| Err(ApiError::new(StatusCode::FORBIDDEN, error::DENIED, format!("requests with this {what} are not answered here")));
    let authority = net::authority(head);
    if !authority.is_empty() && !net::is_ours(authority, hosts) {
        return refuse("Host");
    }
    let origin = net::host::text(head, &header::ORIGIN);
    let from = origin.split_once("://").map_or("?", |(_, authority)| authority);
    if !origin.is_empty() && !head.headers.contains_key(header::AUTHORIZATION) && !net::is_ours(from, hosts) {
        return refuse("Origin");
    }
    Ok(())
}

impl Call<'_> {
    async fn answer(&self, route: Route, method: &Method, body: &mut Option<Incoming>) -> Answered {
        let method = match *method {
            Method::HEAD if !matches!(route, Route::Uploads | Route::Upload(_)) => &Method::GET,
            _ => method,
        };
        match (&route, method) {
            (Route::Base, &Method::GET) => self.base(),
            (Route::Token, &Method::GET) => self.token(),
            (Route::Catalog, &Method::GET) => self.catalog(),
            (Route::Blob(digest), &Method::GET) => self.may(Right::Pull)?.blob(digest),
            (Route::Blob(digest), &Method::DELETE) => self.may(Right::Delete)?.delete_blob(digest).await,
            (Route::Uploads, &Method::POST) => self.may(Right::Push)?.begin_upload(body).await,
            (Route::Upload(id), &Method::GET) => self.may(Right::Push)?.upload_status(id).await,
            (Route::Upload(id), &Method::PATCH) => self.may(Right::Push)?.upload_chunk(id, body).await,
            (Route::Upload(id), &Method::PUT) => self.may(Right::Push)?.end_upload(id, body).await,
            (Route::Upload(id), &Method::DELETE) => self.may(Right::Push)?.cancel_upload(id),
            (Route::Manifest(named), &Method::GET) => self.may(Right::Pull)?.manifest(named),
            (Route::Manifest(named), &Method::PUT) => self.may(Right::Push)?.put_manifest(named, body).await,
            (Route::Manifest(named), &Method::DELETE) => self.may(Right::Delete)?.delete_manifest(named).await,
            (Route::Tags, &Method::GET) => self.may(Right::Pull)?.tags(),
            (Route::Referrers(digest), &Method::GET) => self.may(Right::Pull)?.referrers(digest),
            _ => Err(not_allowed(&route)),
        }
    }

    fn who(&self) -> Who<'_> {
        self.identity.user().map_or(Who::Anonymous, Who::User)
    }

    fn allows(&self, repository: &str, right: Right) -> bool {
        self.access.rights.allow(self.who(), repository, right)
    }

    fn may(&self, right: Right) -> Result<&Self, ApiError> {
        if self.allows(&self.repository, right) {
            return Ok(self);
        }
        if self.identity.user().is_none() && self.access.passwords.is_some() {
            return Err(self.door.unauthorized(&self.access, "say who you are", Some((&*self.repository, right))));
        }
        let what = format!("there is no right to {} `{}`", right.name(), self.repository);
        Err(ApiError::new(StatusCode::FORBIDDEN, error::DENIED, what))
    }

    /// Clients learn here how to say who they are, also where some things are for everybody.
    fn base(&self) -> Answered {
        if self.identity == Identity::Unsaid && self.access.passwords.is_some() {
            return Err(self.door.unauthorized(&self.access, "say who you are", None));
        }
        Ok(json(StatusCode::OK, &serde_json::json!({})))
    }

    fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether the client has what has this tag (RFC 9110 section 13.1.2).
    fn has(&self, tag: &str) -> bool {
        let known = self.header(header::IF_NONE_MATCH).unwrap_or_default();
        known.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == "*" || one == tag)
    }

    fn path(&self, rest: &str) -> HeaderValue {
        text(&format!("/v2/{}/{rest}", self.repository))
    }
}

fn not_allowed(route: &Route) -> ApiError {
    let allowed = match route {
        Route::Base | Route::Token | Route::Catalog | Route::Tags | Route::Referrers(_) => "GET, HEAD",
        Route::Blob(_) => "GET, HEAD, DELETE",
        Route::Uploads => "POST",
        Route::Upload(_) => "GET, PATCH, PUT, DELETE",
        Route::Manifest(_) => "GET, HEAD, PUT, DELETE",
    };
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, error::UNSUPPORTED, "the endpoint has no such method")
        .with(header::ALLOW, HeaderValue::from_static(allowed))
}

/// A header's value of text that is known to hold nothing that a header may not.
fn text(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static(""))
}

fn json(status: StatusCode, value: &serde_json::Value) -> Response<Body> {
    let mut answer = Response::new(Body::from(value.to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn empty<const N: usize>(status: StatusCode, headers: [(HeaderName, HeaderValue); N]) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer.headers_mut().extend(headers);
    answer
}
