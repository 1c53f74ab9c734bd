//! Shows a request's own data: browser, referer, event, client address, and which release answered.

mod client;
mod info;
mod page;

use client::Networks;
use example_serve::{Limits, Peer, Whole, serve, text};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Response, StatusCode};
use info::Info;
use std::sync::Arc;
use std::time::Duration;

/// A request may ask to be answered late, to see what becomes of requests under way; no later than this.
const LONGEST_DELAY: Duration = Duration::from_secs(5);

struct App {
    release: String,
    trusted: Networks,
}

#[tokio::main(worker_threads = 2)]
async fn main() -> std::io::Result<()> {
    let read = |name: &str| std::env::var(name).unwrap_or_default();
    let trusted = read("TRUSTED_PROXIES").parse::<Networks>().map_err(std::io::Error::other)?;
    let app = Arc::new(App { release: Some(read("RELEASE")).filter(|name| !name.is_empty()).unwrap_or("unknown".to_owned()), trusted });
    serve(([0, 0, 0, 0], 8080).into(), Limits::default(), move |request| {
        let app = app.clone();
        async move { answer(&app, request).await }
    })
    .await
}

async fn answer(app: &App, request: Whole) -> Response<Full<Bytes>> {
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD | &Method::POST, "/") => show(app, &request).await,
        (&Method::GET | &Method::HEAD, "/healthz") => text(StatusCode::OK, "ok"),
        (_, "/" | "/healthz") => text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed"),
        _ => text(StatusCode::NOT_FOUND, "not found"),
    }
}

async fn show(app: &App, request: &Whole) -> Response<Full<Bytes>> {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    let info = Info::of(request, peer.map(|peer| app.trusted.client(peer, request.headers())), &app.release);
    if let Some(delay) = info.delay() {
        tokio::time::sleep(delay.min(LONGEST_DELAY)).await;
    }
    let wants_json = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).is_some_and(page::prefers_json);
    let (kind, body) = if wants_json { ("application/json", page::json(&info)) } else { ("text/html; charset=utf-8", page::html(&info)) };
    let mut response = text(StatusCode::OK, body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
