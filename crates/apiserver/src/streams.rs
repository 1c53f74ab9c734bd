//! Exec, attach and port-forward: streams between a client and a container.

use crate::core::Core;
use crate::request::Query;
use crate::respond::Answer;
use http::Request;
use hyper::body::Incoming;
use k8s::{ApiError, Value};
use std::sync::Arc;

/// Takes the connection over.
///
/// # Errors
/// 400 for a request that asks for no upgrade that is spoken here.
pub async fn answer(_core: &Arc<Core>, _pod: &Value, _name: &str, _query: &Query, _request: Request<Incoming>) -> Result<Answer, ApiError> {
    Err(ApiError::new(501, "NotImplemented", "streams are not served yet"))
}
