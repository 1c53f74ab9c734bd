//! A request whose answer is 2xx or 3xx: one connection, no keep-alive, redirects followed only to the same host.

use super::{tcp, tls};
use crate::pod::HttpGet;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Uri, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

/// Redirects followed at most. Source: kubelet `pkg/probe/http`.
const REDIRECTS: usize = 10;
/// What is kept of a body for the message.
const BODY: usize = 1 << 10;

pub(super) async fn get(get: &HttpGet, host: &str, port: u16, timeout: Duration) -> Result<(), String> {
    let url = format!("{}://{}:{port}{}", if get.tls { "https" } else { "http" }, bracketed(host), slashed(&get.path));
    let failed = |why: &str| format!("Get \"{url}\": {why}");
    match tokio::time::timeout(timeout, follow(get, host, port, timeout)).await {
        Err(_) => Err(failed("context deadline exceeded (Client.Timeout exceeded while awaiting headers)")),
        Ok(Err(why)) => Err(failed(&why)),
        Ok(Ok((status, _))) if (200..400).contains(&status) => Ok(()),
        Ok(Ok((status, body))) if body.is_empty() => Err(format!("HTTP probe failed with statuscode: {status}")),
        Ok(Ok((status, body))) => Err(format!("HTTP probe failed with statuscode: {status}: {body}")),
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn slashed(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

struct Answer {
    status: u16,
    location: Option<String>,
    body: String,
}

/// Status and the beginning of the body of the last answer.
async fn follow(get: &HttpGet, host: &str, port: u16, timeout: Duration) -> Result<(u16, String), String> {
    let mut at = (get.tls, port, slashed(&get.path));
    for _ in 0..=REDIRECTS {
        let (secure, port, path) = at.clone();
        let request = request(get, host, port, &path)?;
        let stream = tcp::open(host, port, timeout).await?;
        let answer = if secure { send(tls::wrap(stream, host).await?, request).await } else { send(stream, request).await }?;
        match redirect(&answer, host, &at) {
            Some(next) => at = next,
            None => return Ok((answer.status, answer.body)),
        }
    }
    Err(format!("stopped after {REDIRECTS} redirects"))
}

/// Where a redirect to the same host leads; one to another host is an answer like any other.
fn redirect(answer: &Answer, host: &str, at: &(bool, u16, String)) -> Option<(bool, u16, String)> {
    if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location: Uri = answer.location.as_ref()?.parse().ok()?;
    let path = location.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let Some(authority) = location.authority() else { return Some((at.0, at.1, slashed(&path))) };
    let secure = location.scheme_str() == Some("https");
    let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
    (authority.host() == bracketed(host)).then_some((secure, port, path))
}

fn request(get: &HttpGet, host: &str, port: u16, path: &str) -> Result<Request<Empty<Bytes>>, String> {
    let mut request = Request::get(path).body(Empty::new()).map_err(|error| error.to_string())?;
    let headers = request.headers_mut();
    for (name, value) in &get.headers {
        let name = HeaderName::try_from(name.as_str()).map_err(|error| error.to_string())?;
        headers.append(name, HeaderValue::try_from(value.as_str()).map_err(|error| error.to_string())?);
    }
    let own = HeaderValue::try_from(format!("{}:{port}", bracketed(host))).map_err(|error| error.to_string())?;
    headers.entry(header::HOST).or_insert(own);
    headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static("kube-probe/1.36"));
    headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

async fn send(stream: impl AsyncRead + AsyncWrite + Unpin, request: Request<Empty<Bytes>>) -> Result<Answer, String> {
    let text = |error: hyper::Error| if error.is_incomplete_message() { "EOF".to_owned() } else { error.to_string() };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(text)?;
    let mut exchange = std::pin::pin!(async {
        let response = sender.send_request(request).await.map_err(text)?;
        let status = response.status().as_u16();
        let location = response.headers().get(header::LOCATION).and_then(|place| place.to_str().ok()).map(str::to_owned);
        Ok(Answer { status, location, body: beginning(response.into_body(), status).await })
    });
    // Driven here, not on a task of its own: whoever gives up drops both.
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        _ = connection => exchange.await,
    }
}

/// The beginning of a body that says why; what has not come with the head is not waited for.
async fn beginning(mut body: Incoming, status: u16) -> String {
    if (200..400).contains(&status) {
        return String::new();
    }
    let mut kept = Vec::new();
    while kept.len() < BODY {
        match tokio::time::timeout(Duration::from_millis(10), body.frame()).await {
            Ok(Some(Ok(frame))) => kept.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
            _ => break,
        }
    }
    kept.truncate(BODY);
    String::from_utf8_lossy(&kept).trim().to_owned()
}
