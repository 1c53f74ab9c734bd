//! One request with all that belongs to it: rights, redirects, and further tries of what failed in passing.

use super::auth::Scope;
use super::base::Base;
use super::error::RemoteError;
use super::{Inner, answer};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use net::client::{Call, ClientError, ClientErrorKind, Payload, Reply, Trust, Url};
use oci::registry::challenge::{Challenge, parse_challenges};

/// A request that may be sent again.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// What it is for, as in "refuses to ...".
    pub action: String,
}

const MAX_REDIRECTS: usize = 5;

impl Ask {
    pub(crate) fn new(method: Method, url: Url, action: impl Into<String>) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Bytes::new(), action: action.into() }
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    fn call(&self, url: Url, trust: Trust) -> Call {
        let payload = if self.body.is_empty() { Payload::Empty } else { Payload::Bytes(self.body.clone()) };
        Call { method: self.method.clone(), url, headers: self.headers.clone(), payload, trust }
    }
}

impl Inner {
    /// Asks with the rights needed. The answer may be of any status but 401 that a login could change.
    pub(crate) async fn ask(&self, base: &Base, scopes: &[Scope], ask: &Ask) -> Result<Reply, RemoteError> {
        let mut renewed = false;
        loop {
            let authorization = self.authorization(base, scopes, &ask.action).await?;
            let (reply, elsewhere) = self.follow(base, ask, authorization.as_ref()).await?;
            if reply.status != StatusCode::UNAUTHORIZED || elsewhere || renewed {
                return Ok(reply);
            }
            renewed = true;
            let challenges = challenges(&reply);
            reply.discard().await;
            self.renew(base, scopes, challenges, authorization.as_ref(), &ask.action).await?;
        }
    }

    /// Follows redirects of what only reads. The flag says whether the answer is another server's.
    async fn follow(&self, base: &Base, ask: &Ask, authorization: Option<&HeaderValue>) -> Result<(Reply, bool), RemoteError> {
        let mut url = ask.url.clone();
        for _ in 0..=MAX_REDIRECTS {
            // Who we are is for the registry alone.
            let at_home = url.origin == base.origin;
            let trust = self.trust(&url.origin);
            let reply = self
                .steadily(base, &ask.action, &|| {
                    let mut call = ask.call(url.clone(), trust);
                    if let Some(authorization) = authorization.filter(|_| at_home) {
                        call.headers.insert(header::AUTHORIZATION, authorization.clone());
                    }
                    call
                })
                .await?;
            let moved = matches!(reply.status.as_u16(), 301 | 302 | 303 | 307 | 308) && matches!(ask.method, Method::GET | Method::HEAD);
            let Some(location) = reply.header(header::LOCATION).filter(|_| moved) else { return Ok((reply, !at_home)) };
            let wrong = |why: String| RemoteError::Answer { registry: base.registry.clone(), action: ask.action.clone(), why };
            let next = url.join(location).map_err(|error| wrong(format!("it redirects to {error}")))?;
            if url.origin.tls && !next.origin.tls && self.trust(&next.origin) == Trust::Checked {
                return Err(wrong(format!("it redirects from https to plain http at `{}`", next.origin)));
            }
            reply.discard().await;
            url = next;
        }
        let why = format!("it redirects more than {MAX_REDIRECTS} times");
        Err(RemoteError::Answer { registry: base.registry.clone(), action: ask.action.clone(), why })
    }

    /// Sends a request until it is answered with more than "not now", or for as often as may be.
    pub(crate) async fn steadily(&self, base: &Base, action: &str, call: &(dyn Fn() -> Call + Sync)) -> Result<Reply, RemoteError> {
        let mut tries = 0;
        loop {
            let wait = match self.client.send(call()).await {
                Ok(reply) if answer::is_busy(reply.status) && tries < self.options.retries => {
                    let wait = answer::retry_after(&reply).unwrap_or_else(|| answer::backoff(tries));
                    if wait > self.options.max_wait {
                        return Ok(reply);
                    }
                    reply.discard().await;
                    wait
                }
                Ok(reply) => return Ok(reply),
                Err(error) if self.may_try_again(&error, tries) => answer::backoff(tries),
                Err(error) => return Err(unreachable(base, action, error)),
            };
            tokio::time::sleep(wait).await;
            tries += 1;
        }
    }

    pub(crate) fn may_try_again(&self, error: &ClientError, tries: u32) -> bool {
        let most = if error.is_unreached() { self.options.retries.min(answer::UNREACHED_TRIES) } else { self.options.retries };
        error.is_passing() && tries < most
    }
}

pub(crate) fn unreachable(base: &Base, action: &str, source: ClientError) -> RemoteError {
    let (registry, action) = (base.registry.clone(), action.to_owned());
    match source.kind {
        ClientErrorKind::TooLarge => RemoteError::Answer { registry, action, why: source.why },
        _ => RemoteError::Unreachable { registry, action, source },
    }
}

pub(crate) fn challenges(reply: &Reply) -> Vec<Challenge> {
    let headers = reply.headers.get_all(header::WWW_AUTHENTICATE).iter();
    headers.take(16).filter_map(|value| value.to_str().ok()).flat_map(parse_challenges).collect()
}
