//! All pages: from a request to an answer.

use crate::Source;
use base::Clock;
use http::{Request, Response};
use hyper::body::{Body as HttpBody, Incoming};
use net::{Body, Handler, Peer};
use std::sync::Arc;
use std::time::Duration;

/// How pages are served.
#[derive(Clone)]
pub struct Options {
    /// Names under which the server may be reached; addresses and `localhost` always may. Without ports.
    pub hosts: Vec<String>,
    /// Whether browsers reach it by https: cookies are sent by no other way then.
    pub https: bool,
    /// How long somebody stays logged in.
    pub session: Duration,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Self { hosts: Vec::new(), https: false, session: Duration::from_secs(12 * 3600), clock: Arc::new(base::SystemClock) }
    }
}

/// All pages over one source.
pub struct Pages {
    source: Arc<dyn Source>,
    options: Options,
}

impl Pages {
    /// Pages over a source.
    pub fn new(source: Arc<dyn Source>, options: Options) -> Self {
        Self { source, options }
    }

    /// Whether a path is a page's, asset's or stream's: everything else is the server's own.
    pub fn owns(path: &str) -> bool {
        path == "/" || ["/runs", "/releases", "/images", "/assets", "/events", "/login", "/logout"].iter().any(|own| below(path, own))
    }

    /// Answers one request for a path of its own; others are answered that there is nothing.
    pub async fn handle<B>(&self, _request: Request<B>, _peer: &Peer) -> Response<Body>
    where
        B: HttpBody + Send + Unpin,
        B::Data: Send,
    {
        let _ = (&self.source, &self.options);
        Response::new(Body::empty())
    }

    /// Ends all streams: to be called when the server drains, for they have no end of their own.
    pub fn close(&self) {}
}

impl Handler for Pages {
    async fn handle(&self, request: Request<Incoming>, peer: Arc<Peer>) -> Response<Body> {
        Self::handle(self, request, &peer).await
    }
}

fn below(path: &str, own: &str) -> bool {
    path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
