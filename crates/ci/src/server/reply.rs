//! Answers.

use super::ServerError;
use crate::repositories::RepositoryError;
use crate::runs::RunsError;
use http::{HeaderValue, Response, StatusCode, header};
use net::{Body, BodyError};
use serde::Serialize;
use serde_json::json;

pub(super) type Answered = Result<Response<Body>, Refusal>;

/// Why something is not done: a status and one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) why: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self { status, why: why.into() }
    }

    pub(super) fn missing(why: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, why)
    }

    pub(super) fn bad(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, why)
    }

    pub(super) fn answer(self) -> Response<Body> {
        let mut answer = json(self.status, &json!({"error": self.why}));
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"wharf\", charset=\"UTF-8\"");
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        answer
    }
}

impl From<RunsError> for Refusal {
    fn from(error: RunsError) -> Self {
        let status = match &error {
            RunsError::NoRun(_) | RunsError::NoStage(..) | RunsError::NoBeginning(..) => StatusCode::NOT_FOUND,
            RunsError::HasEnded(_) | RunsError::NotEnded(_) | RunsError::NotYours(_) => StatusCode::CONFLICT,
            RunsError::Full(_) => StatusCode::SERVICE_UNAVAILABLE,
            RunsError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            RunsError::Name(_) | RunsError::Artefacts(_) => StatusCode::BAD_REQUEST,
            RunsError::Store(_) | RunsError::File(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl From<RepositoryError> for Refusal {
    fn from(error: RepositoryError) -> Self {
        let status = match &error {
            RepositoryError::Missing(_) => StatusCode::NOT_FOUND,
            RepositoryError::Name(_) => StatusCode::BAD_REQUEST,
            RepositoryError::Exists(_) => StatusCode::CONFLICT,
            RepositoryError::Git(_) | RepositoryError::File(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

impl From<ServerError> for Refusal {
    fn from(error: ServerError) -> Self {
        match error {
            ServerError::Runs(error) => error.into(),
            ServerError::Repository(error) => error.into(),
            other => Self::new(StatusCode::INTERNAL_SERVER_ERROR, other.to_string()),
        }
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        let status = match error {
            BodyError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            BodyError::TooSlow => StatusCode::REQUEST_TIMEOUT,
            BodyError::Broken => StatusCode::BAD_REQUEST,
        };
        Self::new(status, error.to_string())
    }
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    let mut answer = Response::new(Body::from(serde_json::to_vec(value).unwrap_or_default()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
