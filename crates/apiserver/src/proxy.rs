//! `proxy` of pods and services: a request goes on to a port of a pod, its answer comes back.
//!
//! Source: kubernetes `pkg/registry/core/{pod,service}`, apimachinery `pkg/util/proxy`.

mod dial;
mod html;
mod locate;

use crate::auth::Attributes;
use crate::core::Core;
use crate::http::{header_text, not_allowed};
use crate::request::ResourcePath;
use crate::respond::{self, Answer};
use crate::user::User;
use bytes::{Bytes, BytesMut};
use html::Links;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use k8s::ApiError;
use locate::Place;
use net::Body;
use std::sync::Arc;
use tokio::io::copy_bidirectional;
use tokio::sync::mpsc;

/// Bytes of a page up to which its links are rewritten.
const PAGE_BYTES: usize = 8 << 20;

/// Whether a path asks for this.
pub fn is_meant(path: &ResourcePath) -> bool {
    path.group.is_empty()
        && matches!(path.resource.as_str(), "pods" | "services")
        && !path.name.is_empty()
        && (path.subresource == "proxy" || path.subresource.starts_with("proxy/"))
}

/// Sends a request on.
///
/// # Errors
/// 403 for who may not, 404 for what is not there, 503 when nothing answers.
pub async fn answer(core: &Arc<Core>, request: Request<Incoming>, user: &User, path: &ResourcePath) -> Result<Answer, ApiError> {
    core.authorize(user, &asked(path, request.method())?)?;
    let (shown, inner) = split(request.uri().path()).ok_or_else(|| ApiError::bad_request("the path names no proxy"))?;
    if inner.is_empty() && matches!(*request.method(), Method::GET | Method::HEAD) {
        return redirect(shown, request.uri().query());
    }
    let place = locate::find(core, &path.resource, &path.namespace, &path.name)?;
    let host = request.uri().authority().map(ToString::to_string);
    let host = host.unwrap_or_else(|| header_text(request.headers(), header::HOST).to_owned());
    let links = Links { prefix: shown.to_owned(), there: place.host(), asked: host };
    exchange(core, &place, &links, inner.to_owned(), request).await
}

fn asked(path: &ResourcePath, method: &Method) -> Result<Attributes, ApiError> {
    let verb = match method.as_str() {
        "GET" | "HEAD" => "get",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        // No rule can name what has no verb, so that only `*` allows it.
        "OPTIONS" => "",
        _ => return Err(not_allowed()),
    };
    Ok(Attributes {
        verb: verb.to_owned(),
        group: String::new(),
        version: path.version.clone(),
        resource: path.resource.clone(),
        subresource: "proxy".to_owned(),
        namespace: path.namespace.clone(),
        name: path.name.clone(),
        path: String::new(),
    })
}

/// The path up to and with `proxy`, and the rest as it was written: `/api/v1/namespaces/N/RESOURCE/NAME/proxy` and `/...`.
fn split(path: &str) -> Option<(&str, &str)> {
    let end = path.match_indices('/').nth(7).map_or(path.len(), |(at, _)| at);
    let (shown, inner) = path.split_at_checked(end)?;
    shown.ends_with("/proxy").then_some((shown, inner))
}

// Links of a page are relative to its last slash, so the root of what is shown ends with one.
fn redirect(shown: &str, query: Option<&str>) -> Result<Answer, ApiError> {
    let to = query.map_or_else(|| format!("{shown}/"), |query| format!("{shown}/?{query}"));
    let to = HeaderValue::from_str(&to).map_err(|_| ApiError::bad_request("the path cannot be a header"))?;
    let mut answer = respond::text(301, Body::empty());
    answer.headers_mut().insert(header::LOCATION, to);
    Ok(answer)
}

fn unreachable(error: impl std::fmt::Display) -> ApiError {
    ApiError::new(503, "ServiceUnavailable", format!("error trying to reach service: {error}"))
}

async fn exchange(
    core: &Arc<Core>,
    place: &Place,
    links: &Links,
    inner: String,
    mut request: Request<Incoming>,
) -> Result<Answer, ApiError> {
    let (head_only, query) = (request.method() == Method::HEAD, request.uri().query().map(str::to_owned));
    let target = if inner.is_empty() { "/".to_owned() } else { inner };
    let forwarded = format!("{}{target}", links.prefix);
    let target = query.map_or_else(|| target.clone(), |query| format!("{target}?{query}"));
    let upgrade = wants_upgrade(request.headers());
    let ours = upgrade.as_ref().map(|_| hyper::upgrade::on(&mut request));
    let (parts, body) = request.into_parts();
    let mut onward = Request::new(body);
    *onward.method_mut() = parts.method;
    *onward.uri_mut() = target.parse::<Uri>().map_err(|error| ApiError::bad_request(error.to_string()))?;
    *onward.headers_mut() = onward_headers(parts.headers, upgrade, links, &forwarded);
    let io = dial::connect(core, place).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(io)).await.map_err(unreachable)?;
    tokio::spawn(connection.with_upgrades());
    let mut answer = sender.send_request(onward).await.map_err(unreachable)?;
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        let ours = ours.ok_or_else(|| unreachable("the protocol was switched without being asked"))?;
        return Ok(switched(core, ours, &mut answer));
    }
    back(core, links, head_only, answer).await
}

fn wants_upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let connection = header_text(headers, header::CONNECTION).to_ascii_lowercase();
    connection.split(',').any(|word| word.trim() == "upgrade").then(|| headers.get(header::UPGRADE).cloned()).flatten()
}

/// Headers of one hop, and those that are for the API server alone.
fn drop_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = header_text(headers, header::CONNECTION).split(',').filter_map(|name| name.trim().parse().ok()).collect();
    let fixed = [
        header::CONNECTION,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        HeaderName::from_static("keep-alive"),
    ];
    for name in named.iter().chain(&fixed) {
        headers.remove(name);
    }
}

fn onward_headers(mut headers: HeaderMap, upgrade: Option<HeaderValue>, links: &Links, forwarded: &str) -> HeaderMap {
    drop_hop(&mut headers);
    headers.remove(header::AUTHORIZATION);
    // The way to a pod is short, and links can only be rewritten in what is not compressed.
    headers.remove(header::ACCEPT_ENCODING);
    let impersonating: Vec<HeaderName> = headers.keys().filter(|name| name.as_str().starts_with("impersonate-")).cloned().collect();
    for name in impersonating {
        headers.remove(name);
    }
    for (name, value) in [("host", links.asked.as_str()), ("x-forwarded-uri", forwarded)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    if let Some(upgrade) = upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, upgrade);
    }
    headers
}

fn switched(core: &Arc<Core>, ours: hyper::upgrade::OnUpgrade, answer: &mut Response<Incoming>) -> Answer {
    let theirs = hyper::upgrade::on(&mut *answer);
    let mut told = Response::new(Body::empty());
    *told.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *told.headers_mut() = std::mem::take(answer.headers_mut());
    let core = core.clone();
    tokio::spawn(async move {
        let (Ok(ours), Ok(theirs)) = tokio::join!(ours, theirs) else { return };
        let (mut ours, mut theirs) = (TokioIo::new(ours), TokioIo::new(theirs));
        tokio::select! {
            _ = copy_bidirectional(&mut ours, &mut theirs) => {}
            () = core.drained() => {}
        }
    });
    told
}

async fn back(core: &Arc<Core>, links: &Links, head_only: bool, answer: Response<Incoming>) -> Result<Answer, ApiError> {
    let (mut head, mut body) = answer.into_parts();
    drop_hop(&mut head.headers);
    let location = header_text(&head.headers, header::LOCATION).to_owned();
    if let Some(to) = links.rewritten(&location).and_then(|to| HeaderValue::from_str(&to).ok()) {
        head.headers.insert(header::LOCATION, to);
    }
    let bodiless = head_only || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if bodiless {
        return Ok(Response::from_parts(head, Body::empty()));
    }
    let page = header_text(&head.headers, header::CONTENT_TYPE).split(';').next().is_some_and(|media| media.trim() == "text/html");
    let mut first = Bytes::new();
    if page && location.is_empty() && !head.headers.contains_key(header::CONTENT_ENCODING) {
        let (read, whole) = read_page(&mut body).await?;
        if whole {
            head.headers.remove(header::CONTENT_LENGTH);
            return Ok(Response::from_parts(head, Bytes::from(html::rewrite(&read, links)).into()));
        }
        first = read;
    }
    let (sender, stream) = Body::stream(16);
    tokio::spawn(carry(core.clone(), first, body, sender));
    Ok(Response::from_parts(head, stream))
}

/// A page, and whether that was all of it.
async fn read_page(body: &mut Incoming) -> Result<(Bytes, bool), ApiError> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(unreachable)?.into_data() {
            read.extend_from_slice(&data);
        }
        if read.len() > PAGE_BYTES {
            return Ok((read.freeze(), false));
        }
    }
    Ok((read.freeze(), true))
}

async fn carry(core: Arc<Core>, first: Bytes, mut body: Incoming, sender: mpsc::Sender<Bytes>) {
    if !first.is_empty() && sender.send(first).await.is_err() {
        return;
    }
    let drained = core.drained();
    tokio::pin!(drained);
    loop {
        let frame = tokio::select! {
            frame = body.frame() => frame,
            () = sender.closed() => return,
            () = &mut drained => return,
        };
        let Some(Ok(frame)) = frame else { return };
        let Ok(data) = frame.into_data() else { continue };
        if sender.send(data).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_split_where_the_pod_begins() {
        assert_eq!(
            split("/api/v1/namespaces/n/pods/http:p:80/proxy/a/b%2Fc"),
            Some(("/api/v1/namespaces/n/pods/http:p:80/proxy", "/a/b%2Fc"))
        );
        assert_eq!(split("/api/v1/namespaces/n/services/s/proxy"), Some(("/api/v1/namespaces/n/services/s/proxy", "")));
        assert_eq!(split("/api/v1/namespaces/n/services/s/proxyx/y"), None);
        assert_eq!(split("/api/v1/namespaces/n"), None);
    }

    #[test]
    fn credentials_stay_here() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer x"),
            ("impersonate-user", "root"),
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("accept", "text/html"),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let links = Links { prefix: "/p".to_owned(), there: "10.0.0.1:80".to_owned(), asked: "h:1".to_owned() };
        let headers = onward_headers(headers, None, &links, "/p/x");
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "host", "x-forwarded-uri"]);
    }
}
