//! Who asks: by user and password with each request, or by a token that was given for them.
//!
//! Where some things are for everybody and some are not, clients need tokens: they send a password only where they are asked
//! for one, and fail where they are asked and have none. A token is given to both, and says which of them they are.

use super::{Answered, Call, json, text};
use crate::auth::{ANONYMOUS, Checked, TOKEN_LIFE};
use crate::error::{self, ApiError};
use crate::request;
use crate::rights::Right;
use crate::server::Access;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use std::time::Instant;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// Nothing was said.
    Unsaid,
    /// They have said that they are nobody in particular.
    Anonymous,
    /// A user.
    User(String),
}

impl Identity {
    pub(super) fn user(&self) -> Option<&str> {
        match self {
            Self::User(user) => Some(user),
            Self::Unsaid | Self::Anonymous => None,
        }
    }
}

/// Where a request came in: what it said of who asks, and the address under which it found us.
pub(super) struct Door {
    said: Option<String>,
    url: String,
}

impl Door {
    pub(super) fn new(head: &http::request::Parts, tls: bool) -> Self {
        let value = |name| head.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let host = head.uri.authority().map(http::uri::Authority::as_str).or_else(|| value(header::HOST)).unwrap_or_default();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        let host: String = host.bytes().filter(|byte| plain(*byte)).map(char::from).collect();
        // Only the one who asks is told this address, so that they may say what they used.
        let proxied = head.headers.get("x-forwarded-proto").is_some_and(|used| used == "https");
        let url = format!("{}://{host}", if tls || proxied { "https" } else { "http" });
        let said = head.headers.get(header::AUTHORIZATION).map(|said| said.to_str().unwrap_or_default().to_owned());
        Self { said, url }
    }

    /// Who asks.
    ///
    /// # Errors
    /// When what they said of themselves is not right.
    pub(super) async fn identity(&self, access: &Access) -> Result<Identity, ApiError> {
        let (Some(passwords), Some(said)) = (&access.passwords, &self.said) else { return Ok(Identity::Unsaid) };
        if let Some(token) = request::bearer(said) {
            let known =
                if token == ANONYMOUS { Some(Identity::Anonymous) } else { passwords.user_of(token, Instant::now()).map(Identity::User) };
            return known.ok_or_else(|| self.unauthorized(access, "the token is not valid any more", None));
        }
        let Some((user, password)) = request::basic(said) else {
            return Err(self.unauthorized(access, "expected user and password, or a token", None));
        };
        match passwords.check(&user, &password).await {
            Checked::Right => Ok(Identity::User(user)),
            Checked::Wrong => Err(self.unauthorized(access, "user or password is wrong", None)),
            Checked::Busy => Err(ApiError::too_many("too many passwords are being checked")),
        }
    }

    /// A refusal that says how to say who one is, and for what.
    pub(super) fn unauthorized(&self, access: &Access, message: &str, wanted: Option<(&str, Right)>) -> ApiError {
        let challenge = if access.rights.has_anonymous() {
            let scope = wanted.map(|(repository, right)| {
                let actions = if right == Right::Push { "pull,push" } else { right.name() };
                format!(",scope=\"repository:{repository}:{actions}\"")
            });
            format!("Bearer realm=\"{}/token\",service=\"wharf\"{}", self.url, scope.unwrap_or_default())
        } else {
            "Basic realm=\"wharf\", charset=\"UTF-8\"".to_owned()
        };
        ApiError::new(StatusCode::UNAUTHORIZED, error::UNAUTHORIZED, message).with(header::WWW_AUTHENTICATE, text(&challenge))
    }
}

impl Call<'_> {
    /// Gives out a token; what it is asked for does not matter, for rights are looked at when it is used.
    pub(super) fn token(&self) -> Answered {
        let token = match (&self.access.passwords, self.identity.user()) {
            (Some(passwords), Some(user)) => passwords.token(user, Instant::now()),
            _ => ANONYMOUS.to_owned(),
        };
        // As long as it is good at least.
        let life = TOKEN_LIFE.as_secs() / 2;
        let mut answer = json(StatusCode::OK, &json!({"token": token, "access_token": token, "expires_in": life}));
        answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(answer)
    }
}
