//! The public service of the jobs example: says hello, and lists jobs to users whom app-b knows.

mod auth;

use auth::{Auth, Verdict};
use bytes::Bytes;
use example_serve::{Limits, Whole, serve, text};
use http_body_util::Full;
use hyper::header::AUTHORIZATION;
use hyper::{Method, Response, StatusCode};
use std::sync::Arc;

const JOBS: &str = "Jobs:\nTitle: Devops\nDescription: Awesome\n";

#[tokio::main(worker_threads = 2)]
async fn main() -> std::io::Result<()> {
    let backend = std::env::var("APP_B").unwrap_or_else(|_| "app-b:5001".to_owned());
    let auth = Arc::new(Auth::new(backend));
    let address = ([0, 0, 0, 0], 5000).into();
    serve(address, Limits::default(), move |request| {
        let auth = auth.clone();
        async move { answer(&auth, request).await }
    })
    .await
}

async fn answer(auth: &Auth, request: Whole) -> Response<Full<Bytes>> {
    match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/hello") => text(StatusCode::OK, "Hello there"),
        (&Method::GET | &Method::HEAD, "/healthz") => text(StatusCode::OK, "ok"),
        (&Method::POST, "/jobs") => jobs(auth, &request).await,
        (_, "/hello" | "/healthz" | "/jobs") => text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed"),
        _ => text(StatusCode::NOT_FOUND, "not found"),
    }
}

async fn jobs(auth: &Auth, request: &Whole) -> Response<Full<Bytes>> {
    let Some(token) = request.headers().get(AUTHORIZATION) else { return text(StatusCode::UNAUTHORIZED, "fail") };
    match auth.ask(token.as_bytes()).await {
        Verdict::Known => text(StatusCode::OK, JOBS),
        Verdict::Unknown => text(StatusCode::UNAUTHORIZED, "fail"),
        Verdict::Unreachable => text(StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    }
}
