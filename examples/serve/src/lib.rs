//! How the services of the reference systems listen: bounded connections, headers, bodies and times; a lame-duck drain.
//!
//! After SIGTERM the listener stays open and every answer says `Connection: close`, so that whatever was routed here
//! is answered, however long it takes. The process ends when no connection is left, or when the time for it is over: only
//! then is a connection closed that sits idle, for a request may be on its way.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// What one client may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections open at once; more wait in the kernel's queue.
    pub connections: usize,
    /// Time to send a request's head, and to sit idle between requests.
    pub head_time: Duration,
    /// Time for a whole request.
    pub request_time: Duration,
    /// Bytes of a body.
    pub body_bytes: usize,
    /// After SIGTERM: how long to go on answering at most.
    pub drain_time: Duration,
    /// After SIGTERM: end once nothing has come for this long and no connection is open.
    pub drain_quiet: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            head_time: Duration::from_secs(10),
            request_time: Duration::from_secs(10),
            body_bytes: 16 * 1024,
            drain_time: Duration::from_secs(20),
            drain_quiet: Duration::from_millis(500),
        }
    }
}

/// Who sent a request; an extension of each.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// A request with its whole body; [`Peer`] is among its extensions.
pub type Whole = Request<Bytes>;

/// An answer of text.
pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// One line of structured log.
pub fn log(event: &str, fields: serde_json::Value) {
    println!("{}", serde_json::json!({"event": event, "fields": fields}));
}

struct Shared {
    limits: Limits,
    draining: AtomicBool,
    began: Instant,
    last_ms: AtomicU64,
    open: AtomicUsize,
    owing: AtomicUsize,
}

impl Shared {
    fn new(limits: Limits) -> Arc<Self> {
        let zero = || AtomicUsize::new(0);
        Arc::new(Self {
            limits,
            draining: AtomicBool::new(false),
            began: Instant::now(),
            last_ms: AtomicU64::new(0),
            open: zero(),
            owing: zero(),
        })
    }

    /// Something came or went.
    fn touch(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_ms.fetch_max(now, Ordering::Relaxed);
    }

    /// Whether nothing is left to answer.
    fn done(&self, told: Duration) -> bool {
        let last = Duration::from_millis(self.last_ms.load(Ordering::Relaxed));
        let quiet = self.began.elapsed().saturating_sub(last).min(told);
        let left = self.open.load(Ordering::Relaxed) + self.owing.load(Ordering::Relaxed);
        left == 0 && quiet >= self.limits.drain_quiet
    }
}

/// Counts itself for as long as it lives.
struct Counted(Arc<Shared>, fn(&Shared) -> &AtomicUsize);

impl Counted {
    fn new(shared: &Arc<Shared>, which: fn(&Shared) -> &AtomicUsize) -> Self {
        shared.touch();
        which(shared).fetch_add(1, Ordering::Relaxed);
        Self(shared.clone(), which)
    }

    fn open(shared: &Arc<Shared>) -> Self {
        Self::new(shared, |shared| &shared.open)
    }

    fn owing(shared: &Arc<Shared>) -> Self {
        Self::new(shared, |shared| &shared.owing)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.touch();
        self.1(&self.0).fetch_sub(1, Ordering::Relaxed);
    }
}

/// Listens on `address` and answers every request by `handle` until SIGTERM or SIGINT and the drain after it.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve<H, F>(address: SocketAddr, limits: Limits, handle: H) -> std::io::Result<()>
where
    H: Fn(Whole) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    serve_until(TcpListener::bind(address).await?, limits, handle, told_to_end()).await
}

async fn serve_until<H, F>(listener: TcpListener, limits: Limits, handle: H, told: impl Future<Output = ()>) -> std::io::Result<()>
where
    H: Fn(Whole) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    log("listening", serde_json::json!({"address": listener.local_addr()?.to_string()}));
    let shared = Shared::new(limits);
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut drained = std::pin::pin!(drained(&shared, told));
    loop {
        tokio::select! {
            (stream, peer, slot) = accept(&listener, &slots) => {
                let _ = stream.set_nodelay(true);
                tokio::spawn(connection(shared.clone(), handle.clone(), (stream, peer), slot));
            }
            () = &mut drained => return Ok(()),
        }
    }
}

/// The next connection, once there is room for it.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> (TcpStream, Peer, OwnedSemaphorePermit) {
    loop {
        if let (Ok(slot), Ok((stream, peer))) = (slots.clone().acquire_owned().await, listener.accept().await) {
            return (stream, Peer(peer), slot);
        }
        // Out of descriptors, most likely: some will be free again.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn connection<H, F>(shared: Arc<Shared>, handle: H, (stream, peer): (TcpStream, Peer), slot: OwnedSemaphorePermit)
where
    H: Fn(Whole) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let _open = Counted::open(&shared);
    // A new connection is owed an answer from the first: its request may be on the way.
    let first = Arc::new(Mutex::new(Some(Counted::owing(&shared))));
    let last = Arc::new(Notify::new());
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        let first = first.lock().ok().and_then(|mut first| first.take());
        answer(shared.clone(), handle.clone(), request, last.clone(), first.unwrap_or_else(|| Counted::owing(&shared)))
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(shared.limits.head_time).max_buf_size(32 * 1024);
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), service));
    loop {
        tokio::select! {
            biased;
            // The answer then says so in the words of the request's version, and nothing is read after it.
            () = last.notified() => connection.as_mut().graceful_shutdown(),
            _ = connection.as_mut() => break,
        }
    }
    drop(slot);
}

async fn answer<H, F>(
    shared: Arc<Shared>,
    handle: H,
    request: Request<Incoming>,
    last: Arc<Notify>,
    _owing: Counted,
) -> Result<Response<Full<Bytes>>, Infallible>
where
    H: Fn(Whole) -> F,
    F: Future<Output = Response<Full<Bytes>>>,
{
    let whole = async {
        let (head, body) = request.into_parts();
        match Limited::new(body, shared.limits.body_bytes).collect().await {
            Ok(body) => handle(Request::from_parts(head, body.to_bytes())).await,
            Err(_) => text(StatusCode::PAYLOAD_TOO_LARGE, "too large"),
        }
    };
    let response = match tokio::time::timeout(shared.limits.request_time, whole).await {
        Ok(response) => response,
        Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "too slow"),
    };
    if shared.draining.load(Ordering::Relaxed) {
        last.notify_one();
        // The connection learns it before it writes the answer.
        tokio::task::yield_now().await;
    }
    Ok(response)
}

async fn told_to_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
}

async fn drained(shared: &Shared, told: impl Future<Output = ()>) {
    told.await;
    shared.draining.store(true, Ordering::Relaxed);
    log("draining", serde_json::json!({}));
    let told = Instant::now();
    while !shared.done(told.elapsed()) && told.elapsed() < shared.limits.drain_time {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::task::JoinHandle;

    async fn start<F>(
        limits: Limits,
        told: impl Future<Output = ()> + Send + 'static,
        handle: fn(Whole) -> F,
    ) -> (TcpStream, JoinHandle<()>)
    where
        F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let server = tokio::spawn(async move { serve_until(listener, limits, handle, told).await.expect("served") });
        (TcpStream::connect(address).await.expect("connected"), server)
    }

    async fn ask(request: &[u8]) -> String {
        let limits = Limits { body_bytes: 8, head_time: Duration::from_millis(200), ..Limits::default() };
        let echo = |request: Whole| async move { text(StatusCode::OK, request.into_body()) };
        let (mut stream, server) = start(limits, std::future::pending(), echo).await;
        stream.write_all(request).await.expect("sent");
        let mut answer = String::new();
        let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_string(&mut answer)).await.expect("an end");
        server.abort();
        answer
    }

    #[tokio::test]
    async fn answers_and_refuses_large_bodies() {
        let fine = ask(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi").await;
        assert!(fine.starts_with("HTTP/1.1 200") && fine.ends_with("hi"), "{fine}");
        let large = ask(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nConnection: close\r\n\r\n123456789").await;
        assert!(large.starts_with("HTTP/1.1 413"), "{large}");
    }

    #[tokio::test]
    async fn a_slow_head_does_not_hold_a_connection() {
        let began = Instant::now();
        ask(b"GET / HTTP/1.1\r\nHost:").await;
        assert!(began.elapsed() < Duration::from_secs(4));
    }
    #[tokio::test]
    async fn what_was_routed_here_is_answered_however_slow_and_then_it_ends() {
        let limits = Limits { drain_quiet: Duration::from_millis(100), ..Limits::default() };
        let slow = |_: Whole| async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            text(StatusCode::OK, "late")
        };
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        let (mut stream, server) = start(limits, async move { drop(told.await) }, slow).await;
        tell.send(()).expect("told");
        // The drain has begun before the request is sent, and is long past its quiet time when it is answered.
        tokio::time::sleep(Duration::from_millis(250)).await;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        assert!(answer.ends_with("late") && answer.to_lowercase().contains("connection: close"), "{answer}");
        tokio::time::timeout(Duration::from_secs(2), server).await.expect("ended").expect("well");
    }

    #[tokio::test]
    async fn a_client_of_http_1_0_learns_that_it_is_the_last_answer() {
        let limits = Limits { drain_quiet: Duration::from_millis(50), ..Limits::default() };
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        let hello = |_: Whole| async { text(StatusCode::OK, "hello") };
        let (mut stream, server) = start(limits, async move { drop(told.await) }, hello).await;
        let request = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
        stream.write_all(request).await.expect("sent");
        let mut first = vec![0; 1_024];
        let read = stream.read(&mut first).await.expect("answered");
        assert!(String::from_utf8_lossy(&first[..read]).to_lowercase().contains("connection: keep-alive"));
        tell.send(()).expect("told");
        tokio::time::sleep(Duration::from_millis(20)).await;
        stream.write_all(request).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        assert!(answer.ends_with("hello") && !answer.to_lowercase().contains("keep-alive"), "{answer}");
        tokio::time::timeout(Duration::from_secs(2), server).await.expect("ended").expect("well");
    }

    #[tokio::test]
    async fn an_idle_connection_is_answered_until_the_end_of_the_drain() {
        let limits = Limits { drain_quiet: Duration::from_millis(50), drain_time: Duration::from_millis(1_500), ..Limits::default() };
        let echo = |request: Whole| async move { text(StatusCode::OK, format!("{:?}", request.extensions().get::<Peer>().is_some())) };
        let (mut stream, server) = start(limits, std::future::ready(()), echo).await;
        tokio::time::sleep(Duration::from_millis(800)).await;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        assert!(answer.ends_with("true") && answer.to_lowercase().contains("connection: close"), "{answer}");
        tokio::time::timeout(Duration::from_secs(2), server).await.expect("ended").expect("well");
        let (_idle, server) = start(limits, std::future::ready(()), echo).await;
        tokio::time::timeout(Duration::from_millis(2_500), server).await.expect("ended").expect("well");
    }
}
