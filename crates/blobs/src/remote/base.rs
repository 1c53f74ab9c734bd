//! Where a registry is: its name, or a mirror's, to an address.

use super::error::RemoteError;
use super::{Inner, answer};
use http::{Method, StatusCode};
use net::client::{Call, ClientError, Origin, Trust, Url, UrlError, is_loopback};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// A registry as it is spoken to.
#[derive(Debug)]
pub(crate) struct Base {
    /// Its name in messages and for credentials.
    pub registry: String,
    /// Where.
    pub origin: Origin,
    /// Before `/v2/`: empty or `/path`.
    pub prefix: String,
    /// Whether it must prove who it is.
    pub trust: Trust,
}

impl Base {
    /// An address below a repository.
    pub(crate) fn url(&self, repository: &str, rest: &str) -> Url {
        Url { origin: self.origin.clone(), path: format!("{}/v2/{repository}/{rest}", self.prefix) }
    }

    /// Where it says that it is a registry.
    pub(crate) fn root(&self) -> Url {
        Url { origin: self.origin.clone(), path: format!("{}/v2/", self.prefix) }
    }
}

/// What was found out so far.
#[derive(Default)]
pub(crate) struct Bases {
    known: Mutex<HashMap<String, Arc<Base>>>,
}

impl Inner {
    /// The registry itself.
    pub(crate) async fn base(&self, registry: &str) -> Result<Arc<Base>, RemoteError> {
        // The one registry that is not where its name says.
        let place = if registry == "docker.io" { "https://registry-1.docker.io" } else { registry };
        self.located(registry, place).await
    }

    /// Who may be asked for content of a registry: its mirrors, then itself; and why some of them cannot be.
    pub(crate) async fn sources(&self, registry: &str) -> (Vec<Arc<Base>>, Vec<RemoteError>) {
        let (mut found, mut failed) = (Vec::new(), Vec::new());
        for place in self.options.mirrors.get(registry).into_iter().flatten() {
            let name = place.split_once("://").map_or(place.as_str(), |(_, rest)| rest);
            match self.located(name.split('/').next().unwrap_or(name), place).await {
                Ok(base) => found.push(base),
                Err(error) => failed.push(error),
            }
        }
        match self.base(registry).await {
            Ok(base) => found.push(base),
            Err(error) => failed.push(error),
        }
        (found, failed)
    }

    /// Whether a host is named as insecure, or is this machine.
    pub(crate) fn trust(&self, origin: &Origin) -> Trust {
        let named =
            |host: &String| *host == origin.host || *host == origin.authority() || *host == format!("{}:{}", origin.host, origin.port);
        if origin.is_loopback() || self.options.insecure.iter().any(named) { Trust::Unchecked } else { Trust::Checked }
    }

    async fn located(&self, registry: &str, place: &str) -> Result<Arc<Base>, RemoteError> {
        let mut known = self.bases.known.lock().await;
        if let Some(base) = known.get(place) {
            return Ok(base.clone());
        }
        let base = Arc::new(self.locate(registry, place).await?);
        known.insert(place.to_owned(), base.clone());
        Ok(base)
    }

    async fn locate(&self, registry: &str, place: &str) -> Result<Base, RemoteError> {
        let wrong = |error: UrlError| RemoteError::Unsupported(format!("`{place}` is no registry: {}", error.why));
        let made = |url: Url| {
            let prefix = url.path.trim_end_matches('/').trim_end_matches("/v2").to_owned();
            let trust = self.trust(&url.origin);
            Base { registry: registry.to_owned(), origin: url.origin, prefix, trust }
        };
        if place.contains("://") {
            let base = made(Url::parse(place).map_err(wrong)?);
            if !base.origin.tls && base.trust == Trust::Checked {
                return Err(RemoteError::Unsupported(format!(
                    "`{place}` is plain http, and `{}` is not named as insecure; name it under `registries.insecure` in wharf.yaml",
                    base.origin.host
                )));
            }
            return Ok(base);
        }
        let secure = made(Url::parse(&format!("https://{place}")).map_err(wrong)?);
        if secure.trust == Trust::Checked {
            return Ok(secure);
        }
        let plain = made(Url::parse(&format!("http://{place}")).map_err(wrong)?);
        // On this machine nobody listens on the wire, and TLS is rare; elsewhere a password should not go out in the clear where it need not.
        let order = if is_loopback(&secure.origin.host) { [plain, secure] } else { [secure, plain] };
        self.first_that_answers(registry, order).await
    }

    async fn first_that_answers(&self, registry: &str, order: [Base; 2]) -> Result<Base, RemoteError> {
        let mut first_error = None;
        for base in order {
            match self.probe(&base).await {
                Ok(true) => return Ok(base),
                Ok(false) => {}
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        let action = format!("speak to `{registry}`");
        Err(match first_error {
            Some(source) => RemoteError::Unreachable { registry: registry.to_owned(), action, source },
            None => RemoteError::Answer { registry: registry.to_owned(), action, why: "it speaks neither http nor https".into() },
        })
    }

    /// Whether it speaks as the address says: servers of HTTPS answer plain requests with 400, others not at all.
    async fn probe(&self, base: &Base) -> Result<bool, ClientError> {
        let mut tries = 0;
        loop {
            let mut call = Call::new(Method::GET, base.root());
            call.trust = base.trust;
            match self.client.send(call).await {
                Ok(reply) => {
                    let status = reply.status;
                    reply.discard().await;
                    return Ok(base.origin.tls || status != StatusCode::BAD_REQUEST);
                }
                Err(error) if error.is_passing() && tries < answer::UNREACHED_TRIES => {
                    tokio::time::sleep(answer::backoff(tries)).await;
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}
