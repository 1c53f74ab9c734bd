//! Logging in and out.

use super::Inner;
use crate::fields::Fields;
use crate::respond::{self, Refusal};
use crate::route::route;
use crate::session::Session;
use crate::view::login;
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode, header};
use hyper::body::Body as HttpBody;
use net::{Body, Peer, read_body};
use std::sync::Arc;
use std::time::Duration;

/// A form is small.
const FORM_BYTES: usize = 16 << 10;
const FORM_TIME: Duration = Duration::from_secs(10);

impl Inner {
    /// The cookie's name: by https browsers themselves see to it that no other server of the same name sets it (RFC 6265bis 4.1.3).
    fn cookie(&self) -> &'static str {
        if self.options.https { "__Host-wharf" } else { "wharf" }
    }

    fn set_cookie(&self, value: &str, seconds: u64) -> HeaderValue {
        let secure = if self.options.https { "; Secure" } else { "" };
        let text = format!("{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}", self.cookie());
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
    }

    /// What the browser holds.
    pub(super) fn held<'a>(&self, head: &'a Parts) -> Option<&'a str> {
        let cookies = head.headers.get_all(header::COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
        cookies.flat_map(|cookies| cookies.split(';')).find_map(|cookie| cookie.trim().strip_prefix(self.cookie())?.strip_prefix('='))
    }

    /// Who asks, where they still may.
    pub(super) async fn session(&self, head: &Parts) -> Option<Arc<Session>> {
        let id = self.held(head)?;
        let session = self.sessions.get(id, self.now())?;
        if self.source.is_known(&session.user).await {
            return Some(session);
        }
        self.sessions.end(id);
        None
    }

    pub(super) async fn login_form(&self, head: &Parts) -> Response<Body> {
        let fields = Fields::parse(head.uri.query().unwrap_or_default());
        let next = own_path(fields.get("next"));
        if self.session(head).await.is_some() { respond::see(next) } else { respond::html(StatusCode::OK, login::form(next, None)) }
    }

    pub(super) async fn log_in<B>(&self, body: B, peer: &Peer) -> Result<Response<Body>, Refusal>
    where
        B: HttpBody + Send + Unpin,
        B::Data: Send,
    {
        let address = peer.address.ip();
        self.attempts.begin(address, self.now()).map_err(Refusal::TooMany)?;
        let form = form(body).await?;
        let next = own_path(form.get("next"));
        let user = match form.get("token") {
            Some(token) => self.source.user(token.trim()).await,
            None => None,
        };
        let Some(user) = user else {
            return Ok(respond::html(StatusCode::FORBIDDEN, login::form(next, Some("This token is not known, or not any more."))));
        };
        self.attempts.succeeded(address);
        let id = self.sessions.begin(user, self.now(), self.options.session);
        let mut answer = respond::see(next);
        answer.headers_mut().insert(header::SET_COOKIE, self.set_cookie(&id, self.options.session.as_secs()));
        Ok(answer)
    }

    pub(super) fn log_out(&self, head: &Parts) -> Response<Body> {
        if let Some(id) = self.held(head) {
            self.sessions.end(id);
        }
        let mut answer = respond::see("/login");
        answer.headers_mut().insert(header::SET_COOKIE, self.set_cookie("", 0));
        answer
    }
}

/// The fields of a form that was sent.
pub(super) async fn form<B>(body: B) -> Result<Fields, Refusal>
where
    B: HttpBody + Send + Unpin,
    B::Data: Send,
{
    let bytes = read_body(body, FORM_BYTES, FORM_TIME).await.map_err(|_| Refusal::Bad("the form is too large, or did not come in time"))?;
    Ok(Fields::parse(&String::from_utf8_lossy(&bytes)))
}

/// A path of ours, else the first page: the login leads nowhere else.
fn own_path(next: Option<&str>) -> &str {
    let path = |next: &str| next.split(['?', '#']).next().and_then(route).is_some();
    // Browsers read a backslash as a slash, and drop control characters.
    let is_plain =
        |next: &str| next.starts_with('/') && !next.starts_with("//") && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    next.filter(|next| is_plain(next) && path(next)).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_leads_to_pages_of_ours_only() {
        for (next, expected) in [
            ("/runs/7?x=1", "/runs/7?x=1"),
            ("/", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("https://evil.example", "/"),
            ("/other", "/"),
            ("/\t/evil.example", "/"),
            ("javascript:alert(1)", "/"),
        ] {
            assert_eq!(own_path(Some(next)), expected, "{next}");
        }
        assert_eq!(own_path(None), "/");
    }
}
