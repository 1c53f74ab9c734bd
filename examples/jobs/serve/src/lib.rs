//! How both services of the jobs example listen: bounded connections, headers, bodies and times; a lame-duck drain.
//!
//! After SIGTERM the listener stays open and every answer says `Connection: close`, so that whatever was routed here
//! is answered; the process ends when the grace is over, or earlier when nothing has come for a while.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

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
    /// After SIGTERM: end once nothing has come for this long.
    pub drain_idle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            head_time: Duration::from_secs(10),
            request_time: Duration::from_secs(10),
            body_bytes: 16 * 1024,
            drain_time: Duration::from_secs(20),
            drain_idle: Duration::from_millis(500),
        }
    }
}

/// A request with its whole body.
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
    last_request_ms: AtomicU64,
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
    let listener = TcpListener::bind(address).await?;
    log("listening", serde_json::json!({"address": address.to_string()}));
    let shared = Arc::new(Shared { limits, draining: AtomicBool::new(false), began: Instant::now(), last_request_ms: AtomicU64::new(0) });
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut ended = std::pin::pin!(drained(shared.clone()));
    loop {
        let slot = slots.clone().acquire_owned().await.map_err(std::io::Error::other)?;
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let _ = stream.set_nodelay(true);
                let (shared, handle) = (shared.clone(), handle.clone());
                tokio::spawn(async move {
                    let service = service_fn(|request| answer(shared.clone(), handle.clone(), request));
                    let mut http = hyper::server::conn::http1::Builder::new();
                    http.timer(TokioTimer::new()).header_read_timeout(shared.limits.head_time).max_buf_size(32 * 1024);
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                    drop(slot);
                });
            }
            () = &mut ended => return Ok(()),
        }
    }
}

async fn answer<H, F>(shared: Arc<Shared>, handle: H, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible>
where
    H: Fn(Whole) -> F,
    F: Future<Output = Response<Full<Bytes>>>,
{
    let now = u64::try_from(shared.began.elapsed().as_millis()).unwrap_or(u64::MAX);
    shared.last_request_ms.store(now, Ordering::Relaxed);
    let whole = async {
        let (head, body) = request.into_parts();
        match Limited::new(body, shared.limits.body_bytes).collect().await {
            Ok(body) => handle(Request::from_parts(head, body.to_bytes())).await,
            Err(_) => text(StatusCode::PAYLOAD_TOO_LARGE, "too large"),
        }
    };
    let mut response = match tokio::time::timeout(shared.limits.request_time, whole).await {
        Ok(response) => response,
        Err(_) => text(StatusCode::SERVICE_UNAVAILABLE, "too slow"),
    };
    if shared.draining.load(Ordering::Relaxed) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

async fn drained(shared: Arc<Shared>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
    shared.draining.store(true, Ordering::Relaxed);
    log("draining", serde_json::json!({}));
    let told = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let last = Duration::from_millis(shared.last_request_ms.load(Ordering::Relaxed));
        let quiet = shared.began.elapsed().saturating_sub(last).min(told.elapsed());
        if quiet >= shared.limits.drain_idle || told.elapsed() >= shared.limits.drain_time {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn ask(request: &[u8]) -> String {
        let limits = Limits { body_bytes: 8, head_time: Duration::from_millis(200), ..Limits::default() };
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("its address");
        drop(free);
        let server = tokio::spawn(serve(address, limits, |request: Whole| async move { text(StatusCode::OK, request.into_body()) }));
        let mut stream = loop {
            match tokio::net::TcpStream::connect(address).await {
                Ok(stream) => break stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
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
}
