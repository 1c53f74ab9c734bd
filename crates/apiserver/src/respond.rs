//! Answers: status, headers, the form that the client accepts.

use base::Timestamp;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use k8s::columns::{self, Include};
use k8s::{ApiError, Fields, Kind, Value, yaml};
use net::Body;
use serde_json::json;
use std::collections::VecDeque;
use std::io::Write;

/// The form of objects in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As they are.
    Plain,
    /// A table, with what each row carries; its version.
    Table(Include, &'static str),
    /// `PartialObjectMetadata` of a version.
    Partial(&'static str),
}

impl Shape {
    /// What a client accepts, best first; `None` when nothing that is served here.
    pub fn negotiate(accept: &str, include_object: &str) -> Option<Self> {
        if accept.trim().is_empty() {
            return Some(Self::Plain);
        }
        accept.split(',').find_map(|offer| {
            let mut parts = offer.split(';').map(str::trim);
            let media = parts.next()?;
            let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
            let parameter = |name: &str| parameters.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value);
            if !matches!(media, "application/json" | "*/*" | "application/*" | yaml::MEDIA_TYPE) {
                return None;
            }
            let version = match parameter("v") {
                "v1beta1" => "v1beta1",
                _ => "v1",
            };
            match parameter("as") {
                "" => Some(Self::Plain),
                _ if parameter("g") != "meta.k8s.io" => None,
                "Table" => Some(Self::Table(include(include_object), version)),
                "PartialObjectMetadata" | "PartialObjectMetadataList" => Some(Self::Partial(version)),
                _ => None,
            }
        })
    }

    /// One object in this form.
    pub fn one(&self, kind: &'static Kind, object: &Value, now: Timestamp) -> Value {
        match self {
            Self::Plain => object.clone(),
            Self::Table(include, version) => {
                let metadata = json!({"resourceVersion": object.resource_version()});
                columns::table(kind, &[object], now, &columns::Options { include: *include, headers: true, metadata, version })
            }
            Self::Partial(version) => partial(object, version),
        }
    }

    /// Many in this form, with their `ListMeta`.
    pub fn many(&self, kind: &'static Kind, objects: &[&Value], metadata: Value, now: Timestamp) -> Value {
        match self {
            Self::Plain => json!({"kind": kind.list_kind(), "apiVersion": kind.api_version(), "metadata": metadata, "items": objects}),
            Self::Table(include, version) => {
                columns::table(kind, objects, now, &columns::Options { include: *include, headers: true, metadata, version })
            }
            Self::Partial(version) => {
                let items: Vec<Value> = objects.iter().map(|object| partial(object, version)).collect();
                json!({"kind": "PartialObjectMetadataList", "apiVersion": format!("meta.k8s.io/{version}"), "metadata": metadata, "items": items})
            }
        }
    }

    /// A bookmark in this form.
    pub fn bookmark(&self, kind: &'static Kind, object: &Value) -> Value {
        match self {
            Self::Plain => object.clone(),
            Self::Table(_, version) => {
                let metadata = object.member("metadata").cloned().unwrap_or_default();
                // The bookmark of a table has a row, which carries the revision in its object. Source: apiserver `endpoints/handlers/response.go`.
                let mut table = columns::table(
                    kind,
                    &[object],
                    Timestamp::default(),
                    &columns::Options { include: Include::Metadata, headers: true, metadata: json!({}), version },
                );
                table["metadata"] = json!({"resourceVersion": metadata.text("resourceVersion")});
                table
            }
            Self::Partial(version) => partial(object, version),
        }
    }
}

/// Whether a client would rather have YAML than JSON.
pub fn prefers_yaml(accept: &str) -> bool {
    let media = |offer: &str| offer.split(';').next().unwrap_or_default().trim().to_owned();
    let first = accept
        .split(',')
        .map(media)
        .find(|media| matches!(media.as_str(), "application/json" | "*/*" | "application/*" | yaml::MEDIA_TYPE));
    first.is_some_and(|media| media == yaml::MEDIA_TYPE)
}

/// A JSON answer as YAML; any other stays as it is.
pub fn as_yaml(answer: Answer) -> Answer {
    let (mut head, body) = answer.into_parts();
    let is_json = head.headers.get(header::CONTENT_TYPE).is_some_and(|found| found.as_bytes() == b"application/json");
    let body = match body {
        Body::Parts(parts) if is_json => {
            let parts: Vec<&[u8]> = parts.iter().map(AsRef::as_ref).collect();
            let value: Value = serde_json::from_slice(&parts.concat()).unwrap_or_default();
            head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(yaml::MEDIA_TYPE));
            yaml::text(&value).into()
        }
        other => other,
    };
    Response::from_parts(head, body)
}

fn include(text: &str) -> Include {
    match text {
        "Object" => Include::Object,
        "None" => Include::None,
        _ => Include::Metadata,
    }
}

fn partial(object: &Value, version: &str) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": format!("meta.k8s.io/{version}"), "metadata": object.member("metadata").cloned().unwrap_or_else(|| json!({}))})
}

/// An answer on its way.
pub type Answer = Response<Body>;

/// JSON bytes.
pub fn json_bytes(code: u16, bytes: impl Into<Body>) -> Answer {
    typed(code, "application/json", bytes)
}

/// A JSON value.
pub fn json_value(code: u16, value: &Value) -> Answer {
    json_bytes(code, value.to_string())
}

/// Any content.
pub fn typed(code: u16, content_type: &'static str, body: impl Into<Body>) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    answer
}

/// Plain text.
pub fn text(code: u16, body: impl Into<Body>) -> Answer {
    typed(code, "text/plain; charset=utf-8", body)
}

/// A refusal.
pub fn refusal(error: &ApiError) -> Answer {
    let mut answer = json_value(error.code, &error.to_status());
    if let Some(seconds) = error.retry_after_seconds {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if error.code == 401 {
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}

/// A list of objects as they are stored, put together without decoding one.
pub fn list_of_bytes(kind: &'static Kind, items: impl Iterator<Item = Bytes>, metadata: &Value) -> Body {
    let head = format!("{{\"kind\":\"{}\",\"apiVersion\":\"{}\",\"metadata\":{metadata},\"items\":[", kind.list_kind(), kind.api_version());
    let mut parts = VecDeque::new();
    let mut part = head.into_bytes();
    for (at, item) in items.enumerate() {
        if at > 0 {
            part.push(b',');
        }
        part.extend_from_slice(&item);
        if part.len() > 256 << 10 {
            parts.push_back(Bytes::from(std::mem::take(&mut part)));
        }
    }
    part.extend_from_slice(b"]}");
    parts.push_back(Bytes::from(part));
    Body::Parts(parts)
}

/// Warnings as headers. Source: RFC 7234 section 5.5, KEP-1693.
pub fn add_warnings(headers: &mut HeaderMap, warnings: &[String]) {
    for warning in warnings.iter().take(32) {
        let escaped: String = warning
            .chars()
            .filter(|c| !c.is_control())
            .flat_map(|c| matches!(c, '"' | '\\').then_some('\\').into_iter().chain([c]))
            .take(2048)
            .collect();
        if let Ok(value) = HeaderValue::from_bytes(format!("299 - \"{escaped}\"").as_bytes()) {
            headers.append(header::WARNING, value);
        }
    }
}

/// Answers from which compression begins to pay; the API server's own threshold.
const GZIP_FROM: u64 = 128 << 10;

/// Compresses a large answer for a client that takes it.
pub fn compressed(answer: Answer, accept_encoding: &str) -> Answer {
    let wants = accept_encoding.split(',').any(|coding| coding.split(';').next().unwrap_or_default().trim() == "gzip");
    let (mut head, body) = answer.into_parts();
    let Body::Parts(parts) = body else { return Response::from_parts(head, body) };
    let length: u64 = parts.iter().map(|part| part.len() as u64).sum();
    if !wants || length < GZIP_FROM || head.headers.contains_key(header::CONTENT_ENCODING) {
        return Response::from_parts(head, Body::Parts(parts));
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::with_capacity(32 << 10), flate2::Compression::fast());
    let done = parts.iter().try_for_each(|part| gzip.write_all(part)).and_then(|()| gzip.finish());
    let Ok(bytes) = done else { return Response::from_parts(head, Body::Parts(parts)) };
    head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    head.headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    Response::from_parts(head, bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_offer_that_is_served_wins() {
        let shape = |accept: &str| Shape::negotiate(accept, "");
        assert_eq!(shape("application/json;as=Table;v=v1;g=meta.k8s.io,application/json"), Some(Shape::Table(Include::Metadata, "v1")));
        assert_eq!(shape("application/vnd.kubernetes.protobuf,application/json"), Some(Shape::Plain));
        assert_eq!(shape("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"), Some(Shape::Partial("v1")));
        assert_eq!(shape("*/*"), Some(Shape::Plain));
        assert_eq!(shape("application/xml"), None);
        assert_eq!(shape("application/yaml"), Some(Shape::Plain));
        assert!(prefers_yaml("application/vnd.kubernetes.protobuf, application/yaml;q=1, application/json"));
        assert!(!prefers_yaml("application/json,application/yaml") && !prefers_yaml("*/*") && !prefers_yaml(""));
    }

    #[test]
    fn warnings_cannot_break_out_of_their_header() {
        let mut headers = HeaderMap::new();
        add_warnings(&mut headers, &["unknown field \"a\"\r\nSet-Cookie: x".to_owned()]);
        assert_eq!(headers[header::WARNING], "299 - \"unknown field \\\"a\\\"Set-Cookie: x\"");
    }
}
