//! Tokens: one for each registry and set of rights, kept until it ends, asked for once however many wait for it.

use super::base::Base;
use super::error::RemoteError;
use super::{Inner, answer, blocking};
use base64::Engine;
use bytes::Bytes;
use http::{HeaderValue, Method, header};
use net::client::{Call, Payload, Trust, Url};
use oci::registry::challenge::{self, Challenge, Token};
use oci::registry::{Credential, Secret};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A right to a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Which.
    pub repository: String,
    /// Whether also to push.
    pub push: bool,
}

impl Scope {
    fn text(&self) -> String {
        format!("repository:{}:{}", self.repository, if self.push { "pull,push" } else { "pull" })
    }
}

struct Held {
    header: HeaderValue,
    until: Option<Instant>,
    challenges: Vec<Challenge>,
}

type Slot = Arc<tokio::sync::Mutex<Option<Held>>>;

/// What was handed out so far.
#[derive(Default)]
pub(crate) struct Auth {
    slots: Mutex<HashMap<String, Slot>>,
}

impl Auth {
    fn slot(&self, base: &Base, scopes: &[Scope]) -> Slot {
        let scopes: Vec<String> = scopes.iter().map(Scope::text).collect();
        let key = format!("{}{} {}", base.origin, base.prefix, scopes.join(" "));
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone()
    }
}

impl Inner {
    /// What to send now; nothing as long as nobody asked for it.
    pub(crate) async fn authorization(&self, base: &Base, scopes: &[Scope], action: &str) -> Result<Option<HeaderValue>, RemoteError> {
        let slot = self.auth.slot(base, scopes);
        let mut held = slot.lock().await;
        let Some(current) = held.as_ref() else { return Ok(None) };
        if current.until.is_none_or(|until| Instant::now() < until) {
            return Ok(Some(current.header.clone()));
        }
        let challenges = current.challenges.clone();
        let fresh = self.obtain(base, scopes, challenges, action).await?;
        let header = fresh.header.clone();
        *held = Some(fresh);
        Ok(Some(header))
    }

    /// Gets what a registry asks for. `used` is what it did not take.
    pub(crate) async fn renew(
        &self,
        base: &Base,
        scopes: &[Scope],
        challenges: Vec<Challenge>,
        used: Option<&HeaderValue>,
        action: &str,
    ) -> Result<(), RemoteError> {
        let slot = self.auth.slot(base, scopes);
        let mut held = slot.lock().await;
        // Somebody else was asked as well, and has been given a new one meanwhile.
        if held.as_ref().is_some_and(|held| Some(&held.header) != used) {
            return Ok(());
        }
        *held = None;
        *held = Some(self.obtain(base, scopes, challenges, action).await?);
        Ok(())
    }

    async fn obtain(&self, base: &Base, scopes: &[Scope], challenges: Vec<Challenge>, action: &str) -> Result<Held, RemoteError> {
        let (credentials, registry) = (self.options.credentials.clone(), base.registry.clone());
        let credential = blocking(move || credentials.of(&registry)).await?;
        self.hold(base, scopes, challenges, credential, action).await
    }

    /// The header by which a registry knows us.
    pub(crate) async fn prove(
        &self,
        base: &Base,
        scopes: &[Scope],
        challenges: Vec<Challenge>,
        credential: Option<Credential>,
        action: &str,
    ) -> Result<HeaderValue, RemoteError> {
        self.hold(base, scopes, challenges, credential, action).await.map(|held| held.header)
    }

    async fn hold(
        &self,
        base: &Base,
        scopes: &[Scope],
        challenges: Vec<Challenge>,
        credential: Option<Credential>,
        action: &str,
    ) -> Result<Held, RemoteError> {
        let find = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme == scheme);
        let login = |why: &str| RemoteError::Login { registry: base.registry.clone(), action: action.to_owned(), why: why.to_owned() };
        let (value, until) = match (find("bearer"), find("basic"), credential) {
            (Some(_), _, Some(Credential::Bearer(token))) => (format!("Bearer {}", token.reveal()), None),
            (Some(bearer), _, credential) => {
                let token = self.token(base, scopes, bearer, credential, action).await?;
                let until = Instant::now() + Duration::from_secs(token.seconds).mul_f32(0.9);
                (format!("Bearer {}", token.token.reveal()), Some(until))
            }
            (None, Some(_), Some(Credential::Password { user, password })) => (basic(&user, &password), None),
            (None, Some(_), _) => return Err(login("it wants a name and a password, and none is known for it")),
            (None, None, _) if challenges.is_empty() => return Err(login("it answers 401 and does not say what it wants")),
            (None, None, _) => return Err(login(&format!("it wants `{}`, which is not supported", names(&challenges)))),
        };
        let mut header = HeaderValue::from_str(&value).map_err(|_| login("the name or the password holds what no header can carry"))?;
        header.set_sensitive(true);
        Ok(Held { header, until, challenges })
    }

    /// The token flow of registries (distribution, "Token Authentication" and "OAuth2 Token Authentication").
    async fn token(
        &self,
        base: &Base,
        scopes: &[Scope],
        challenge: &Challenge,
        credential: Option<Credential>,
        action: &str,
    ) -> Result<Token, RemoteError> {
        let wrong = |why: String| RemoteError::Answer { registry: base.registry.clone(), action: action.to_owned(), why };
        let realm = challenge.parameters.get("realm").map(String::as_str).unwrap_or_default();
        let url = Url::parse(realm).map_err(|error| wrong(format!("its token server is none: {error}")))?;
        let trust = self.trust(&url.origin);
        if !url.origin.tls && trust == Trust::Checked && credential.is_some() {
            return Err(wrong(format!("its token server `{}` wants the password in plain http", url.origin)));
        }
        let logged_in = credential.is_some();
        let reply = self
            .steadily(base, action, &|| {
                let mut call = token_call(url.clone(), challenge, &wanted(scopes, challenge), credential.as_ref());
                call.trust = trust;
                call
            })
            .await?;
        if !reply.status.is_success() {
            let status = reply.status.as_u16();
            let said = reply.bytes(64 << 10).await.map(|bytes| answer::said(&bytes)).unwrap_or_default();
            let said = if said.is_empty() { String::new() } else { format!(" ({said})") };
            let whose = if logged_in { "the name or password that is known for it" } else { "anonymous requests" };
            return Err(match status {
                400 | 401 | 403 => RemoteError::Login {
                    registry: base.registry.clone(),
                    action: action.to_owned(),
                    why: format!("its token server `{}` refuses {whose}: it answers {status}{said}", url.origin),
                },
                429 | 500.. => {
                    RemoteError::Busy { registry: base.registry.clone(), action: action.to_owned(), status, why: "its token server".into() }
                }
                _ => wrong(format!("its token server `{}` answers {status}{said}", url.origin)),
            });
        }
        let bytes = reply.bytes(challenge::MAX_TOKEN_REPLY).await.map_err(|error| wrong(format!("its token server {error}")))?;
        challenge::parse_token(&bytes).map_err(|why| wrong(format!("its token server `{}`: {why}", url.origin)))
    }
}

/// A plain request with a header that is known.
pub(crate) fn authorized(url: Url, trust: Trust, header: Option<&HeaderValue>) -> Call {
    let mut call = Call::new(Method::GET, url);
    call.trust = trust;
    call.headers.extend(header.map(|header| (header::AUTHORIZATION, header.clone())));
    call
}

/// Our rights and what the registry names beside them: a proxy may call the repository otherwise.
fn wanted(scopes: &[Scope], challenge: &Challenge) -> Vec<String> {
    let mut rights: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let own: Vec<String> = scopes.iter().map(Scope::text).collect();
    let asked = challenge.parameters.get("scope").map(String::as_str).unwrap_or_default();
    for scope in own.iter().map(String::as_str).chain(asked.split_ascii_whitespace().take(16)) {
        if let Some((resource, actions)) = scope.rsplit_once(':') {
            rights.entry(resource.to_owned()).or_default().extend(actions.split(',').map(str::to_owned));
        }
    }
    rights.into_iter().map(|(resource, actions)| format!("{resource}:{}", actions.into_iter().collect::<Vec<_>>().join(","))).collect()
}

fn token_call(url: Url, challenge: &Challenge, scopes: &[String], credential: Option<&Credential>) -> Call {
    let service = challenge.parameters.get("service").map(String::as_str).unwrap_or_default();
    if let Some(Credential::Identity(token)) = credential {
        let form = Url { origin: url.origin.clone(), path: String::new() }
            .with("grant_type", "refresh_token")
            .with("service", service)
            .with("client_id", "wharf")
            .with("scope", &scopes.join(" "))
            .with("refresh_token", token.reveal());
        let mut call = Call::new(Method::POST, url);
        call.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        call.payload = Payload::Bytes(Bytes::from(form.path.trim_start_matches('?').to_owned()));
        return call;
    }
    let url = if service.is_empty() { url } else { url.with("service", service) };
    let mut call = Call::new(Method::GET, scopes.iter().fold(url, |url, scope| url.with("scope", scope)));
    if let Some(Credential::Password { user, password }) = credential
        && let Ok(mut value) = HeaderValue::from_str(&basic(user, password))
    {
        value.set_sensitive(true);
        call.headers.insert(header::AUTHORIZATION, value);
    }
    call
}

fn basic(user: &str, password: &Secret) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{}", password.reveal())))
}

fn names(challenges: &[Challenge]) -> String {
    challenges.iter().map(|challenge| challenge.scheme.as_str()).collect::<Vec<_>>().join("`, `")
}
