//! Refusals as the spec writes them (distribution spec, "Error Codes").

use crate::digest::{Digest, DigestError};
use crate::manifest::ManifestError;
use crate::writer::Refusal;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use net::Body;
use serde_json::{Value, json};

/// Why a request is not done.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    detail: Value,
    headers: HeaderMap,
}

/// What is told of a blob that is not there.
pub(crate) const BLOB_UNKNOWN: &str = "BLOB_UNKNOWN";
/// Of an upload that goes wrong.
pub(crate) const UPLOAD_INVALID: &str = "BLOB_UPLOAD_INVALID";
/// Of an upload that is not known.
pub(crate) const UPLOAD_UNKNOWN: &str = "BLOB_UPLOAD_UNKNOWN";
/// Of a digest that is none, or is not that of the content.
pub(crate) const DIGEST_INVALID: &str = "DIGEST_INVALID";
/// Of a manifest that names what is not there.
pub(crate) const MANIFEST_BLOB_UNKNOWN: &str = "MANIFEST_BLOB_UNKNOWN";
/// Of a manifest that is none.
pub(crate) const MANIFEST_INVALID: &str = "MANIFEST_INVALID";
/// Of a manifest that is not there.
pub(crate) const MANIFEST_UNKNOWN: &str = "MANIFEST_UNKNOWN";
/// Of a name that is none.
pub(crate) const NAME_INVALID: &str = "NAME_INVALID";
/// Of a repository that is not there.
pub(crate) const NAME_UNKNOWN: &str = "NAME_UNKNOWN";
/// Of a length that is not the content's.
pub(crate) const SIZE_INVALID: &str = "SIZE_INVALID";
/// When nobody has said who they are.
pub(crate) const UNAUTHORIZED: &str = "UNAUTHORIZED";
/// When somebody may not.
pub(crate) const DENIED: &str = "DENIED";
/// When it is never done.
pub(crate) const UNSUPPORTED: &str = "UNSUPPORTED";
/// When it is done later.
pub(crate) const TOO_MANY: &str = "TOOMANYREQUESTS";

impl ApiError {
    /// With a code and words for people.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), detail: Value::Null, headers: HeaderMap::new() }
    }

    /// 400.
    pub(crate) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 404.
    pub(crate) fn unknown(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 429; to be tried again after a second.
    pub(crate) fn too_many(message: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, TOO_MANY, message).with(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// The system has refused; it is none of the spec's codes.
    pub(crate) fn system(error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::StorageFull {
            return Self::full(error.to_string());
        }
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", format!("the store cannot do it: {error}"))
    }

    fn full(reason: String) -> Self {
        Self::new(StatusCode::INSUFFICIENT_STORAGE, "UNKNOWN", format!("the disk is full: {reason}"))
    }

    /// The same with a header.
    #[must_use]
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The same with what a program can use.
    #[must_use]
    pub(crate) fn detail(mut self, detail: Value) -> Self {
        self.detail = detail;
        self
    }

    /// The words for people.
    pub(crate) fn into_message(self) -> String {
        self.message
    }

    /// As it is sent.
    pub(crate) fn answer(self) -> Response<Body> {
        let mut error = json!({"code": self.code, "message": self.message});
        if !self.detail.is_null() {
            error["detail"] = self.detail;
        }
        let mut answer = Response::new(Body::from(json!({"errors": [error]}).to_string()));
        *answer.status_mut() = self.status;
        *answer.headers_mut() = self.headers;
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
    }

    /// What the store refused of a blob or a manifest, with the code for what is not there.
    pub(crate) fn refused(refusal: Refusal, unknown: &'static str) -> Self {
        match refusal {
            Refusal::Missing(missing) => {
                let shown: Vec<String> = missing.iter().take(100).map(Digest::to_string).collect();
                Self::unknown(MANIFEST_BLOB_UNKNOWN, "the manifest names what this repository has not").detail(json!({"digests": shown}))
            }
            Refusal::Unknown => Self::unknown(unknown, "it is not in this repository"),
            Refusal::NoRepository => Self::unknown(NAME_UNKNOWN, "there is no such repository"),
            Refusal::Needed(by) => {
                Self::new(StatusCode::METHOD_NOT_ALLOWED, UNSUPPORTED, format!("the manifest {by} needs it: delete that first"))
            }
            Refusal::Full(reason) => Self::full(reason),
            Refusal::Stopped(reason) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "UNKNOWN",
                format!("the store has stopped after an error of the disk: {reason}"),
            ),
        }
    }
}

impl From<DigestError> for ApiError {
    fn from(error: DigestError) -> Self {
        Self::bad(DIGEST_INVALID, error.to_string())
    }
}

impl From<ManifestError> for ApiError {
    fn from(error: ManifestError) -> Self {
        Self::bad(MANIFEST_INVALID, error.to_string())
    }
}
