//! Answers, and what every one of them says to a browser.

use crate::fields::link;
use crate::guard::Stranger;
use crate::source::SourceError;
use crate::text;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use maud::Markup;
use net::Body;
use std::time::Duration;

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
    frame-ancestors 'none'; base-uri 'none'";
/// Files that runs left are no pages of ours: nothing in them runs, whatever they say they are.
const FILE_POLICY: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";

/// Why there is no page.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It comes from a page that is none of ours.
    Stranger(Stranger),
    /// There is nothing of that name.
    Missing(String),
    /// The method is none of these.
    Method(&'static str),
    /// They are not logged in; where they wanted to go.
    Login(String),
    /// They are not logged in, and no person reads the answer.
    Unauthorized,
    /// Their role, or their form, does not allow it.
    Forbidden(&'static str),
    /// What they sent is wrong.
    Bad(&'static str),
    /// It cannot be done to the thing as it is.
    Conflict(String),
    /// Too often.
    TooMany(Duration),
    /// It cannot be had now.
    Failed(String),
}

impl From<SourceError> for Refusal {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Missing(_) => Self::Missing(error.to_string()),
            SourceError::Refused(why) => Self::Conflict(why),
            SourceError::Failed(why) => Self::Failed(why),
        }
    }
}

impl Refusal {
    /// The status, and what is said: a sentence, and what to do next.
    pub(crate) fn said(&self) -> (StatusCode, String, &'static str) {
        let (status, message, hint) = match self {
            Self::Stranger(Stranger::Host) => (
                StatusCode::MISDIRECTED_REQUEST,
                "this server is not called by that name",
                "use its address, or start it with that name among its own",
            ),
            Self::Stranger(Stranger::Origin) => {
                (StatusCode::FORBIDDEN, "another site's page asked for this", "open the page here and ask again")
            }
            Self::Missing(what) => (StatusCode::NOT_FOUND, what.as_str(), "look at the address; what it names may have been removed since"),
            Self::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, "this address is not asked for in that way", "use the page's own buttons"),
            Self::Login(_) | Self::Unauthorized => (StatusCode::UNAUTHORIZED, "nobody is logged in", "log in again"),
            Self::Forbidden(why) => (StatusCode::FORBIDDEN, *why, "log in with a token that may, or reload the page and try again"),
            Self::Bad(why) => (StatusCode::BAD_REQUEST, *why, "go back and try again"),
            Self::Conflict(why) => (StatusCode::CONFLICT, why.as_str(), "reload the page to see how it stands"),
            Self::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, "that was too often", "wait a minute and try again"),
            Self::Failed(why) => (StatusCode::SERVICE_UNAVAILABLE, why.as_str(), "reload the page in a while"),
        };
        (status, text::sentence(message).into_owned(), hint)
    }

    /// Headers besides.
    pub(crate) fn headers(&self, headers: &mut HeaderMap) {
        match self {
            Self::Method(allowed) => {
                headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
            Self::TooMany(wait) => {
                headers.insert(header::RETRY_AFTER, wait.as_secs().max(1).into());
            }
            _ => {}
        }
    }
}

/// A page.
pub(crate) fn html(status: StatusCode, page: Markup) -> Response<Body> {
    with_type(status, "text/html; charset=utf-8", page.into_string())
}

/// JSON for the script.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<Response<Body>, Refusal> {
    let text = serde_json::to_string(value).map_err(|error| Refusal::Failed(error.to_string()))?;
    Ok(with_type(StatusCode::OK, "application/json", text))
}

/// Any text.
pub(crate) fn with_type(status: StatusCode, media_type: &'static str, text: String) -> Response<Body> {
    let mut answer = Response::new(Body::from(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}

/// Leads to another page of ours.
pub(crate) fn see(path: &str) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::SEE_OTHER;
    answer.headers_mut().insert(header::LOCATION, HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/")));
    answer
}

/// Leads to the login, and from there to where they wanted to go.
pub(crate) fn login(next: &str) -> Response<Body> {
    see(&link("/login", &[("next", Some(next).filter(|next| *next != "/"))]))
}

/// A file to be saved.
pub(crate) fn file(name: &str, media_type: &str, bytes: bytes::Bytes) -> Response<Body> {
    const KNOWN: [&str; 4] = ["application/json", "application/sarif+json", "application/xml", "text/plain"];
    let media_type = KNOWN.into_iter().find(|known| *known == media_type).unwrap_or("application/octet-stream");
    let mut answer = Response::new(Body::from(bytes));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    // RFC 6266 and 8187: the name escaped, so that it is one line and no quotes end it.
    let disposition = format!("attachment; filename*=UTF-8''{}", crate::route::encode(name));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_str(&disposition).unwrap_or(HeaderValue::from_static("attachment")));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(FILE_POLICY));
    answer
}

/// What every answer says, where it does not say otherwise.
pub(crate) fn secure(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Nothing is told to other sites. With `no-referrer` browsers would hide the origin of our own forms, too, which is checked.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
