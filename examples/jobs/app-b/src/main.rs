//! The private service of the jobs example: tells whether a token is a user's.

mod form;
mod users;

use bytes::Bytes;
use example_serve::{Limits, Whole, log, serve, text};
use http_body_util::Full;
use hyper::{Method, Response, StatusCode};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use users::Users;

fn main() -> ExitCode {
    let path = std::env::var_os("DATABASE").map_or_else(|| PathBuf::from("/data/users.db"), PathBuf::from);
    let users = match Users::open(&path) {
        Ok(users) => users,
        Err(error) => {
            log("database failed", serde_json::json!({"path": path, "error": error.to_string()}));
            return ExitCode::FAILURE;
        }
    };
    match std::env::args().nth(1).as_deref() {
        Some("--seed") => seed(&users),
        Some(other) => {
            eprintln!("app-b: unknown argument `{other}`; it takes --seed or nothing");
            ExitCode::from(2)
        }
        None => run(users),
    }
}

/// Puts the sample user there again, and says how many users there are.
fn seed(users: &Users) -> ExitCode {
    match users.seed().and_then(|()| users.count()) {
        Ok(count) => {
            println!("{count} users");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("app-b: cannot seed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(users: Users) -> ExitCode {
    let users = Arc::new(users);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let served = runtime.and_then(|runtime| {
        runtime.block_on(serve(([0, 0, 0, 0], 5001).into(), Limits::default(), move |request| {
            let users = users.clone();
            async move { answer(&users, &request) }
        }))
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log("cannot listen", serde_json::json!({"error": error.to_string()}));
            ExitCode::FAILURE
        }
    }
}

fn answer(users: &Users, request: &Whole) -> Response<Full<Bytes>> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/healthz") => match users.count() {
            Ok(_) => text(StatusCode::OK, "ok"),
            Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "database failed"),
        },
        (&Method::POST, "/auth") => auth(users, request.body()),
        (_, "/healthz" | "/auth") => text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed"),
        _ => text(StatusCode::NOT_FOUND, "not found"),
    }
}

fn auth(users: &Users, body: &[u8]) -> Response<Full<Bytes>> {
    let Some(token) = form::field(body, "token") else { return text(StatusCode::UNAUTHORIZED, "fail") };
    match users.name_of(&token) {
        Ok(Some(name)) => text(StatusCode::OK, name),
        Ok(None) => text(StatusCode::UNAUTHORIZED, "fail"),
        Err(error) => {
            log("query failed", serde_json::json!({"error": error.to_string()}));
            text(StatusCode::SERVICE_UNAVAILABLE, "database failed")
        }
    }
}
