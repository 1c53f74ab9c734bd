//! `eviction`: a delete that asks first. No disruption budgets are served yet, so nothing speaks against one.

use crate::handler::options::{DeleteOptions, Propagation};
use crate::handler::{Call, Written};
use crate::request::Query;
use k8s::{ApiError, Fields, Value};
use serde_json::json;

impl Call<'_> {
    /// Evicts the pod.
    ///
    /// # Errors
    /// As a delete.
    pub async fn evict(&mut self, eviction: &Value) -> Result<Written, ApiError> {
        let named = eviction.name();
        if !named.is_empty() && named != self.target.name {
            return Err(ApiError::bad_request("name in URL does not match name in Eviction object"));
        }
        let empty = json!({});
        let mut options =
            DeleteOptions::read(&Query::default(), Some(eviction.member("deleteOptions").unwrap_or(&empty)), Propagation::Background)?;
        options.dry_run |= self.options.dry_run;
        self.delete(&options).await
    }
}
