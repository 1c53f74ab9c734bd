//! Bodies of requests, and the small ones of answers.

use crate::handler::Given;
use crate::handler::patching::PatchKind;
use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;
use k8s::{ApiError, Fields, Kind, Value, protobuf, yaml};
use net::{BodyError, read_body};
use serde_json::json;
use std::time::Duration;

/// Bytes of a request body; the API server's own limit.
const BODY_BYTES: usize = 3 << 20;
const BODY_TIME: Duration = Duration::from_secs(30);

/// Reads a request's body within the limits.
pub(super) async fn body(request: Request<Incoming>) -> Result<Bytes, ApiError> {
    read_body(request.into_body(), BODY_BYTES, BODY_TIME).await.map_err(|error| match error {
        BodyError::TooLarge(limit) => ApiError::new(413, "RequestEntityTooLarge", format!("Request entity too large: limit is {limit}")),
        BodyError::TooSlow => ApiError::new(408, "Timeout", "the request body did not come in time"),
        BodyError::Broken => ApiError::bad_request("the request body could not be read"),
    })
}

/// A body by its content type: JSON text, or YAML or protobuf decoded.
pub(super) fn given(content_type: &str, body: Bytes) -> Result<Given, ApiError> {
    match content_type.split(';').next().unwrap_or_default().trim() {
        "" | "application/json" => Ok(Given::Text(body)),
        yaml::MEDIA_TYPE => parse_yaml(&body).map(Given::Value),
        protobuf::MEDIA_TYPE => protobuf::decode(&body).map(Given::Value).map_err(|error| ApiError::bad_request(error.to_string())),
        other => {
            let why = format!(
                "the body of the request was in an unknown format - accepted media types include: application/json, {}, {} (it is {other})",
                yaml::MEDIA_TYPE,
                protobuf::MEDIA_TYPE
            );
            Err(ApiError::new(415, "UnsupportedMediaType", why))
        }
    }
}

pub(super) fn value_of(given: Given) -> Result<Value, ApiError> {
    match given {
        Given::Value(value) => Ok(value),
        Given::Text(text) => parse(&text),
    }
}

pub(super) fn patch_value(body: &[u8], how: PatchKind) -> Result<Value, ApiError> {
    // What is applied is YAML, of which JSON is a part.
    let value = if how == PatchKind::Apply && !body.trim_ascii_start().starts_with(b"{") { parse_yaml(body) } else { parse(body) }?;
    if how == PatchKind::Json || value.is_object() { Ok(value) } else { Err(ApiError::bad_request("the patch is no object")) }
}

fn parse(text: &[u8]) -> Result<Value, ApiError> {
    serde_json::from_slice(text).map_err(|error| ApiError::bad_request(format!("error decoding the body: {error}")))
}

fn parse_yaml(text: &[u8]) -> Result<Value, ApiError> {
    let refused = |why: String| ApiError::bad_request(format!("error decoding the body: {why}"));
    let text = std::str::from_utf8(text).map_err(|error| refused(error.to_string()))?;
    let told = |error: yaml::YamlError| refused(format!("yaml: line {}: {}", error.at.line, error.message));
    yaml::value(text).map_err(told)
}

/// `Status` of an object that is gone.
pub(super) fn gone(kind: &'static Kind, object: &Value) -> Value {
    let mut details = json!({"name": object.name(), "kind": kind.resource, "uid": object.uid()});
    if !kind.group.is_empty() {
        details["group"] = json!(kind.group);
    }
    success(Some(details))
}

pub(super) fn success(details: Option<Value>) -> Value {
    let mut status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"});
    if let Some(details) = details {
        status["details"] = details;
    } else {
        status["code"] = json!(201);
    }
    status
}
