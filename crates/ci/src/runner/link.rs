//! What a runner asks of its server.

use super::RunnerOptions;
use crate::run::RunId;
use crate::runs::{Said, Told};
use crate::server::wire::{ATTEMPT, Asks, JOB_BYTES, Job, Says};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use net::client::{Call, Client, Payload, Trust, Url};
use serde::Serialize;
use std::sync::Arc;

/// Why the server did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LinkError {
    /// It knows the runner, and says no for good.
    #[error("the server refuses: {0}")]
    Refused(String),
    /// The run is another runner's, or over.
    #[error("the run is another runner's, or over")]
    NotOurs,
    /// It takes no such thing.
    #[error("the server does not take this: {0}")]
    Bad(String),
    /// It cannot be reached, or does not answer as a server does.
    #[error("the server cannot be reached: {0}")]
    Unreached(String),
}

#[derive(Clone)]
pub(super) struct Link {
    client: Client,
    server: Url,
    trust: Trust,
    token: Arc<str>,
}

impl Link {
    pub(super) fn new(options: &RunnerOptions) -> Self {
        let client = Client::new(options.client.clone());
        Self { client, server: options.server.clone(), trust: options.trust, token: options.token.as_str().into() }
    }

    pub(super) async fn take(&self, runner: &str, instance: &str) -> Result<Option<Box<Job>>, LinkError> {
        let asks = Asks { runner: runner.to_owned(), instance: instance.to_owned() };
        let answer = self.send(Method::POST, "/api/runners/take", "", json(&asks), "application/json").await?;
        if answer.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&answer).map(Some).map_err(|error| LinkError::Unreached(format!("its answer is no run: {error}")))
    }

    pub(super) async fn say(&self, id: RunId, attempt: &str, from: u64, said: &[Said]) -> Result<Told, LinkError> {
        let says = Says { from, said: said.to_vec() };
        let answer = self.send(Method::POST, &format!("/api/runners/runs/{id}/say"), attempt, json(&says), "application/json").await?;
        serde_json::from_slice(&answer).map_err(|error| LinkError::Unreached(format!("its answer is none: {error}")))
    }

    pub(super) async fn give_back(&self, id: RunId, attempt: &str) -> Result<(), LinkError> {
        let path = format!("/api/runners/runs/{id}/back");
        self.send(Method::POST, &path, attempt, Bytes::from_static(b"{}"), "application/json").await.map(|_| ())
    }

    pub(super) async fn keep(&self, id: RunId, attempt: &str, name: &str, content: Bytes) -> Result<(), LinkError> {
        let path = format!("/api/runners/runs/{id}/artefacts/{name}");
        self.send(Method::PUT, &path, attempt, content, media_type(name)).await.map(|_| ())
    }

    async fn send(&self, method: Method, path: &str, attempt: &str, body: Bytes, media_type: &'static str) -> Result<Bytes, LinkError> {
        let unreached = |error: String| LinkError::Unreached(error);
        let url = self.server.join(path).map_err(|error| unreached(error.to_string()))?;
        let mut call = Call::new(method, url);
        call.trust = self.trust;
        let value = |text: &str| HeaderValue::from_str(text).map_err(|error| LinkError::Bad(error.to_string()));
        call.headers.insert(header::AUTHORIZATION, value(&format!("Bearer {}", self.token))?);
        call.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        if !attempt.is_empty() {
            call.headers.insert(ATTEMPT, value(attempt)?);
        }
        call.payload = Payload::Bytes(body);
        let reply = self.client.send(call).await.map_err(|error| unreached(error.to_string()))?;
        let status = reply.status;
        if status == StatusCode::NO_CONTENT {
            reply.discard().await;
            return Ok(Bytes::new());
        }
        let answer = reply.bytes(JOB_BYTES).await.map_err(|error| unreached(error.to_string()))?;
        if status.is_success() {
            return Ok(answer);
        }
        let said = serde_json::from_slice::<serde_json::Value>(&answer).ok();
        let why = said.as_ref().and_then(|said| said.get("error")?.as_str()).map_or_else(|| status.to_string(), str::to_owned);
        Err(match status {
            StatusCode::CONFLICT => LinkError::NotOurs,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => LinkError::Refused(why),
            status if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => LinkError::Bad(why),
            _ => LinkError::Unreached(why),
        })
    }
}

fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

/// By the ending of a file's name.
fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("json") => "application/json",
        Some("sarif") => "application/sarif+json",
        Some("xml") => "application/xml",
        Some("html" | "htm") => "text/html",
        Some("txt" | "log") => "text/plain",
        _ => "application/octet-stream",
    }
}
