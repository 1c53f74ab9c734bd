//! `token` of a service account. Source: kubernetes `pkg/registry/core/serviceaccount/storage/token.go`.

use crate::auth::token::TokenWish;
use crate::handler::Call;
use k8s::{ApiError, Cause, Fields, Value};

/// Seconds for which a token may be asked.
const SECONDS: std::ops::RangeInclusive<i64> = 600..=1 << 32;

impl Call<'_> {
    /// Issues a token.
    ///
    /// # Errors
    /// 404 for the account or what the token is bound to, 422 for a time that is too short or too long.
    pub fn request_token(&self, mut request: Value) -> Result<Value, ApiError> {
        let seconds = request.int("spec.expirationSeconds").unwrap_or(3_600);
        if !SECONDS.contains(&seconds) {
            let message = if seconds < *SECONDS.start() {
                "Invalid value: may not specify a duration less than 10 minutes"
            } else {
                "Invalid value: may not specify a duration larger than 2^32 seconds"
            };
            let mut error = ApiError::new(
                422,
                "Invalid",
                format!("TokenRequest.authentication.k8s.io {:?} is invalid: spec.expirationSeconds: {message}", self.target.name),
            );
            error.causes =
                vec![Cause { reason: "FieldValueInvalid", field: "spec.expirationSeconds".to_owned(), message: message.to_owned() }];
            return Err(error);
        }
        let texts = |path: &str| request.items(path).iter().filter_map(|value| value.as_str().map(str::to_owned)).collect();
        let bound = request
            .at("spec.boundObjectRef")
            .map(|bound| (bound.text("kind").to_owned(), bound.text("name").to_owned(), bound.text("uid").to_owned()));
        let wish = TokenWish { audiences: texts("spec.audiences"), seconds, bound };
        let audiences = if wish.audiences.is_empty() { vec![crate::auth::token::ISSUER.to_owned()] } else { wish.audiences.clone() };
        let (token, until) = self.core.make_token(&self.target.namespace, &self.target.name, &wish)?;
        request.set("metadata.name", self.target.name.as_str());
        request.set("metadata.namespace", self.target.namespace.as_str());
        request.set("metadata.creationTimestamp", self.core.now().rfc3339());
        request.set("spec.audiences", audiences);
        request.set("spec.expirationSeconds", seconds);
        request.set("status.token", token);
        request.set("status.expirationTimestamp", until.rfc3339());
        Ok(request)
    }
}
