//! All pages: from a request to an answer.

mod actions;
mod entry;
mod show;

use crate::attempts::Attempts;
use crate::respond::{self, Refusal};
use crate::route::{Route, route};
use crate::session::{Session, Sessions};
use crate::source::Source;
use crate::view::{View, login};
use crate::{assets, guard};
use base::{Clock, Timestamp};
use http::request::Parts;
use http::{Method, Request, Response};
use hyper::body::{Body as HttpBody, Incoming};
use net::{Body, Drain, Handler, Peer};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Streams of changes at once.
const STREAMS: usize = 512;

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

/// All pages over one source. Cheap to clone.
#[derive(Clone)]
pub struct Pages {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) options: Options,
    pub(crate) sessions: Sessions,
    attempts: Attempts,
    pub(crate) streams: Arc<Semaphore>,
    /// Begun when all streams are to end.
    pub(crate) closed: Drain,
}

/// A request of somebody who is logged in.
struct Call<'a> {
    inner: &'a Arc<Inner>,
    head: &'a Parts,
    session: Arc<Session>,
}

impl Pages {
    /// Pages over a source.
    pub fn new(source: Arc<dyn Source>, options: Options) -> Self {
        let inner = Inner {
            source,
            options,
            sessions: Sessions::default(),
            attempts: Attempts::default(),
            streams: Arc::new(Semaphore::new(STREAMS)),
            closed: Drain::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Whether a path is a page's, asset's or stream's: everything else is the server's own.
    pub fn owns(path: &str) -> bool {
        path == "/" || ["/runs", "/releases", "/images", "/assets", "/events", "/login", "/logout"].iter().any(|own| below(path, own))
    }

    /// Answers one request for a path of its own; for any other it says that there is nothing.
    pub async fn handle<B>(&self, request: Request<B>, peer: &Peer) -> Response<Body>
    where
        B: HttpBody + Send + Unpin,
        B::Data: Send,
    {
        let (head, body) = request.into_parts();
        let mut answer = match self.inner.answer(&head, body, peer).await {
            Ok(answer) => answer,
            Err(refusal) => refused(&refusal, &head),
        };
        respond::secure(answer.headers_mut());
        answer
    }

    /// Ends all streams: to be called when the server drains, for they have no end of their own.
    pub fn close(&self) {
        self.inner.closed.begin();
    }
}

impl Handler for Pages {
    async fn handle(&self, request: Request<Incoming>, peer: Arc<Peer>) -> Response<Body> {
        Self::handle(self, request, &peer).await
    }
}

fn below(path: &str, own: &str) -> bool {
    path.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn refused(refusal: &Refusal, head: &Parts) -> Response<Body> {
    match refusal {
        Refusal::Login(_) if guard::comes_from_elsewhere(head) => respond::html(http::StatusCode::OK, login::again()),
        Refusal::Login(next) => respond::login(next),
        _ => {
            let mut answer = respond::html(refusal.said().0, login::refusal(refusal));
            refusal.headers(answer.headers_mut());
            answer
        }
    }
}

impl Inner {
    pub(crate) fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    async fn answer<B>(self: &Arc<Self>, head: &Parts, body: B, peer: &Peer) -> Result<Response<Body>, Refusal>
    where
        B: HttpBody + Send + Unpin,
        B::Data: Send,
    {
        guard::check(head, &self.options.hosts).map_err(Refusal::Stranger)?;
        let nothing = || Refusal::Missing(format!("there is no page `{}`", head.uri.path()));
        let route = route(head.uri.path()).ok_or_else(nothing)?;
        let is_post = head.method == Method::POST;
        match (&route, is_post) {
            (Route::Asset(name), false) => return assets::answer(name).ok_or_else(nothing),
            (Route::Login, false) => return Ok(self.login_form(head).await),
            (Route::Login, true) => return self.log_in(body, peer).await,
            _ => {}
        }
        let session = self.session(head).await.ok_or_else(|| unknown(&route, head))?;
        let call = Call { inner: self, head, session };
        match (route, is_post) {
            (Route::Retry(_) | Route::Cancel(_) | Route::Logout, false) => Err(Refusal::Method("POST")),
            (route @ (Route::Retry(_) | Route::Cancel(_) | Route::Logout), true) => call.act(route, body).await,
            (_, true) => Err(Refusal::Method("GET, HEAD")),
            (route, false) if head.method == Method::GET || head.method == Method::HEAD => call.show(route).await,
            _ => Err(Refusal::Method("GET, HEAD, POST")),
        }
    }
}

/// Where a person wanted to go is where the login leads; what a script reads says only that it may not.
fn unknown(route: &Route, head: &Parts) -> Refusal {
    let is_page = matches!(
        route,
        Route::Board
            | Route::Run(..)
            | Route::Releases
            | Route::Release(_)
            | Route::Images
            | Route::Image(_)
            | Route::LogText(..)
            | Route::Artefact(..)
    );
    if is_page && head.method != Method::POST {
        Refusal::Login(head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned())
    } else {
        Refusal::Unauthorized
    }
}

impl Call<'_> {
    fn view(&self) -> View<'_> {
        View { session: &self.session, now: self.inner.now() }
    }
}
