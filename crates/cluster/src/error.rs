//! Why a cluster did not do what was asked: it refused, it cannot be reached, or it was never known how to reach it.

use crate::plugin::PluginError;
use base::{Problem, ProblemKind};
use k8s::{ApiError, Cause};

/// Any request's outcome.
pub type Result<T> = std::result::Result<T, Error>;

/// A request that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The server answered, and refused.
    #[error("{0}")]
    Api(Box<ApiError>),
    /// No answer came.
    #[error("cannot reach the cluster at {server}: {why}")]
    Unreachable {
        /// The API server's URL.
        server: String,
        /// What the network said.
        why: String,
    },
    /// The answer was not one of the Kubernetes API.
    #[error("the cluster at {server} gave an answer that is not understood: {why}")]
    Answer {
        /// The API server's URL.
        server: String,
        /// What is wrong with it.
        why: String,
    },
    /// The kubeconfig does not say how to reach the cluster.
    #[error("{0}")]
    Config(String),
    /// The plugin that the kubeconfig names for credentials gave none.
    #[error("{0}")]
    Plugin(PluginError),
    /// A kind that the cluster does not serve.
    #[error("the cluster serves no kind `{kind}` of `{api_version}`")]
    UnknownKind {
        /// Such as `apps/v1`.
        api_version: String,
        /// Such as `Deployment`.
        kind: String,
    },
}

impl Error {
    /// The refusal, where it is one.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the object does not exist.
    pub fn is_not_found(&self) -> bool {
        self.api().is_some_and(|error| error.code == 404)
    }

    /// Whether the server asks to try again, or cannot be reached for now.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Api(error) => matches!(error.code, 429 | 500 | 503 | 504),
            _ => false,
        }
    }
}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        Self::Api(Box::new(error))
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Unreachable { .. } => {
                Self::new(ProblemKind::Unreachable, message).hint("see that the cluster runs and the context in the kubeconfig names it")
            }
            Error::Config(_) => Self::new(ProblemKind::Usage, message),
            Error::Plugin(error) => error.into(),
            Error::Api(_) | Error::Answer { .. } | Error::UnknownKind { .. } => Self::new(ProblemKind::Target, message),
        }
    }
}

/// Translates an error of the client library.
pub(crate) fn translate(server: &str, error: kube::Error) -> Error {
    if let Some(error) = PluginError::within(&error) {
        return Error::Plugin(error);
    }
    match error {
        kube::Error::Api(status) => api(&status).into(),
        kube::Error::SerdeError(error) => Error::Answer { server: server.to_owned(), why: error.to_string() },
        kube::Error::UpgradeConnection(error) => Error::Answer { server: server.to_owned(), why: error.to_string() },
        other => Error::Unreachable { server: server.to_owned(), why: root_cause(&other) },
    }
}

fn root_cause(error: &kube::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// The reasons that the API knows; another reads as `Unknown`. Source: apimachinery `metav1.StatusReason`.
const REASONS: &[&str] = &[
    "Unauthorized",
    "Forbidden",
    "NotFound",
    "AlreadyExists",
    "Conflict",
    "Gone",
    "Invalid",
    "ServerTimeout",
    "StoreReadError",
    "Timeout",
    "TooManyRequests",
    "BadRequest",
    "MethodNotAllowed",
    "NotAcceptable",
    "RequestEntityTooLarge",
    "UnsupportedMediaType",
    "InternalError",
    "Expired",
    "ServiceUnavailable",
];

const CAUSES: &[&str] = &[
    "FieldValueNotFound",
    "FieldValueRequired",
    "FieldValueDuplicate",
    "FieldValueInvalid",
    "FieldValueNotSupported",
    "FieldValueForbidden",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "InternalError",
    "FieldValueTypeInvalid",
    "UnexpectedServerResponse",
    "FieldManagerConflict",
    "ResourceVersionTooLarge",
    "NamespaceTerminating",
];

fn known(names: &'static [&'static str], name: &str) -> &'static str {
    names.iter().find(|known| **known == name).copied().unwrap_or("Unknown")
}

/// A `metav1.Status` as our own error.
pub(crate) fn api(status: &kube::core::Status) -> ApiError {
    let mut error = ApiError::new(status.code, known(REASONS, &status.reason), status.message.clone());
    if let Some(details) = &status.details {
        (error.name, error.group, error.resource) = (details.name.clone(), details.group.clone(), details.kind.clone());
        error.retry_after_seconds = Some(details.retry_after_seconds).filter(|seconds| *seconds > 0);
        let cause = |cause: &kube::core::response::StatusCause| Cause {
            reason: known(CAUSES, &cause.reason),
            field: cause.field.clone(),
            message: cause.message.clone(),
        };
        error.causes = details.causes.iter().map(cause).collect();
    }
    if error.message.is_empty() {
        error.message = format!("the server answered {} {}", error.code, error.reason);
    }
    error
}
