//! Requests to servers: a pool of HTTP/1.1 connections with TLS and proxies, and times after which the other side counts as gone.
//!
//! Nothing is retried or redirected here but a request that a reused connection never took: what may be sent twice, and with which
//! credentials to whom, is for the caller to know.

mod connect;
mod error;
mod payload;
mod pool;
mod proxy;
mod reply;
mod roots;
mod url;
mod verifier;

pub use error::{ClientError, ClientErrorKind};
pub use payload::{Payload, Piece};
pub use proxy::Proxies;
pub use reply::Reply;
pub use roots::tls_config;
pub use url::{Origin, Url, UrlError, is_loopback};

use http::{HeaderMap, HeaderValue, Method, Request, header};
use payload::{PayloadBody, Pulse};
use pool::{Key, Pool, Sender};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// How servers are spoken to.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// `User-Agent`.
    pub agent: String,
    /// For name, connection and TLS together.
    pub connect_time: Duration,
    /// For an answer to begin, or for its next bytes to come, or for the next bytes of a request to be taken.
    pub stall_time: Duration,
    /// Through which proxies.
    pub proxies: Proxies,
    /// Certificates in PEM that are trusted beside the system's.
    pub authorities: Vec<String>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            agent: concat!("wharf/", env!("CARGO_PKG_VERSION")).into(),
            connect_time: Duration::from_secs(15),
            stall_time: Duration::from_secs(30),
            proxies: Proxies::default(),
            authorities: Vec::new(),
        }
    }
}

/// Whether a server must prove who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Trust {
    /// By a certificate that the system trusts.
    #[default]
    Checked,
    /// Not at all: the user said so for this host, or it is this machine.
    Unchecked,
}

/// One request.
#[derive(Debug)]
pub struct Call {
    /// What to do.
    pub method: Method,
    /// With what.
    pub url: Url,
    /// `Host`, `User-Agent` and the length are added.
    pub headers: HeaderMap,
    /// What is sent along.
    pub payload: Payload,
    /// Whether the server must prove who it is.
    pub trust: Trust,
}

impl Call {
    /// Without headers and body, to a server that must prove who it is.
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), payload: Payload::Empty, trust: Trust::Checked }
    }
}

/// A client; clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    options: ClientOptions,
    pool: Arc<Pool>,
    roots: roots::Roots,
}

impl Client {
    /// Connects to nothing yet.
    pub fn new(options: ClientOptions) -> Self {
        let roots = roots::Roots::new(options.authorities.clone());
        Self { inner: Arc::new(Inner { options, pool: Arc::default(), roots }) }
    }

    /// Sends a request and waits for the head of its answer. To be called within a tokio runtime.
    ///
    /// # Errors
    /// When the server is not reached, breaks off or falls silent; an answer of any status is none.
    pub async fn send(&self, call: Call) -> Result<Reply, ClientError> {
        let key = Key { origin: call.url.origin.clone(), trust: call.trust };
        let proxy = self.inner.options.proxies.of(&key.origin)?;
        let pulse = Arc::new(Pulse::default());
        let mut request = self.request(call, proxy.as_ref(), &pulse)?;
        while let Some(mut sender) = self.inner.pool.take(&key) {
            if sender.ready().await.is_err() {
                continue;
            }
            match self.exchange(&key, &mut sender, request, &pulse).await? {
                Ok(response) => return Ok(self.reply(key, sender, response)),
                Err(back) => request = back,
            }
        }
        let connecting = self.connect(&key, proxy.as_ref());
        let connected = tokio::time::timeout(self.inner.options.connect_time, connecting).await;
        let mut sender = connected.map_err(|_| ClientError::slow(&key.origin, "the connection", self.inner.options.connect_time))??;
        match self.exchange(&key, &mut sender, request, &pulse).await? {
            Ok(response) => Ok(self.reply(key, sender, response)),
            Err(_) => Err(ClientError::new(ClientErrorKind::Broken, &key.origin, "the connection was closed at once")),
        }
    }

    fn reply(&self, key: Key, sender: Sender, response: http::Response<hyper::body::Incoming>) -> Reply {
        Reply::new(response, key, sender, self.inner.pool.clone(), self.inner.options.stall_time)
    }

    fn request(&self, call: Call, proxy: Option<&proxy::Proxy>, pulse: &Arc<Pulse>) -> Result<Request<PayloadBody>, ClientError> {
        let Call { method, url, headers, payload, .. } = call;
        let origin = &url.origin;
        let wrong = |why: String| ClientError::new(ClientErrorKind::Url, origin, why);
        // A proxy is told the whole address of what it is to fetch in plain HTTP (RFC 9112 section 3.2.2).
        let plain_proxy = proxy.filter(|_| !origin.tls);
        let target = if plain_proxy.is_some() { url.to_string() } else { url.path.clone() };
        let empty = matches!(payload, Payload::Empty) && matches!(method, Method::POST | Method::PUT | Method::PATCH);
        let mut request = Request::builder().method(method).uri(target);
        if let Some(own) = request.headers_mut() {
            *own = headers;
            let value = |text: &str| HeaderValue::from_str(text).map_err(|error| wrong(error.to_string()));
            own.insert(header::HOST, value(&origin.authority())?);
            own.insert(header::USER_AGENT, value(&self.inner.options.agent)?);
            if empty {
                own.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
            if let Some(credentials) = plain_proxy.and_then(proxy::Proxy::authorization) {
                own.insert(header::PROXY_AUTHORIZATION, credentials);
            }
        }
        request.body(PayloadBody::new(payload, pulse.clone())).map_err(|error| wrong(error.to_string()))
    }

    /// The inner error is the request again, which was not sent.
    async fn exchange(
        &self,
        key: &Key,
        sender: &mut Sender,
        request: Request<PayloadBody>,
        pulse: &Pulse,
    ) -> Result<Result<http::Response<hyper::body::Incoming>, Request<PayloadBody>>, ClientError> {
        let answer = sender.try_send_request(request);
        match self.alive(key, pulse, answer).await? {
            Ok(response) => Ok(Ok(response)),
            Err(mut error) => match error.take_message() {
                Some(request) => Ok(Err(request)),
                None => Err(ClientError::broken(&key.origin, &error.into_error())),
            },
        }
    }

    /// Waits as long as the other side takes bytes of the request, and a stall time after that.
    async fn alive<T>(&self, key: &Key, pulse: &Pulse, answer: impl Future<Output = T>) -> Result<T, ClientError> {
        tokio::pin!(answer);
        let mut seen = pulse.count();
        loop {
            if let Ok(answer) = tokio::time::timeout(self.inner.options.stall_time, answer.as_mut()).await {
                return Ok(answer);
            }
            let now = pulse.count();
            if now == seen && !pulse.is_ours() {
                return Err(ClientError::slow(&key.origin, "an answer", self.inner.options.stall_time));
            }
            seen = now;
        }
    }

    async fn connect(&self, key: &Key, proxy: Option<&proxy::Proxy>) -> Result<Sender, ClientError> {
        let io = connect::connect(&key.origin, key.trust, proxy, &self.inner.roots).await?;
        pool::handshake(&key.origin, io).await
    }
}
