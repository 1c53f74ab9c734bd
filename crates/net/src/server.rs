//! One port: connections accepted within limits, each answered by a handler, all of them drained at the end.

use crate::body::Body;
use crate::drain::{Drain, Draining};
use hyper::body::{Body as _, Incoming};
use hyper::header::CONTENT_LENGTH;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::pki_types::CertificateDer;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// What a client may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; further ones wait to be accepted.
    pub connections: usize,
    /// Bytes of all headers of a request.
    pub header_bytes: usize,
    /// For the TLS handshake, and for the headers of a request once its first byte came.
    pub header_time: Duration,
    /// Requests at once on one h2 connection.
    pub streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 4096, header_bytes: 64 << 10, header_time: Duration::from_secs(10), streams: 250 }
    }
}

/// Who is at the other end.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Address.
    pub address: SocketAddr,
    /// The client certificate, verified against the authority; `None` when none was sent.
    pub certificate: Option<CertificateDer<'static>>,
}

/// Answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    fn handle(&self, request: Request<Incoming>, peer: Arc<Peer>) -> impl Future<Output = Response<Body>> + Send;
}

/// A server that runs.
#[derive(Debug)]
pub struct Serving {
    /// Where it listens.
    pub address: SocketAddr,
    drain: Drain,
    accepting: JoinHandle<()>,
}

impl Serving {
    /// Who ends long answers learns here that it is time.
    pub fn draining(&self) -> Draining {
        self.drain.subscribe()
    }

    /// Takes no more connections, lets requests in flight finish, and returns when all connections are closed, or cut
    /// after a grace time.
    pub async fn drain(self, grace: Duration) {
        self.drain.begin();
        let abort = self.accepting.abort_handle();
        if tokio::time::timeout(grace, self.accepting).await.is_err() {
            abort.abort();
        }
    }
}

/// Serves a listener; `tls: None` is plain HTTP. To be called within a tokio runtime.
///
/// # Errors
/// When the listener has no address.
pub fn serve<H: Handler>(
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    limits: Limits,
    handler: Arc<H>,
) -> std::io::Result<Serving> {
    let address = listener.local_addr()?;
    let drain = Drain::default();
    let accepting = tokio::spawn(accept(listener, tls.map(TlsAcceptor::from), limits, handler, drain.subscribe()));
    Ok(Serving { address, drain, accepting })
}

async fn accept<H: Handler>(listener: TcpListener, tls: Option<TlsAcceptor>, limits: Limits, handler: Arc<H>, draining: Draining) {
    let room = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let begun = draining.begun();
    tokio::pin!(begun);
    loop {
        let next = async {
            // A closed semaphore would mean an end, and nobody closes it.
            let permit = room.clone().acquire_owned().await.ok()?;
            Some((permit, listener.accept().await))
        };
        let accepted = tokio::select! {
            () = &mut begun => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = next => accepted,
        };
        let Some((permit, accepted)) = accepted else { break };
        match accepted {
            Ok((stream, address)) => {
                let (tls, handler, draining) = (tls.clone(), handler.clone(), draining.clone());
                connections.spawn(async move {
                    connection(stream, address, tls, limits, handler, draining).await;
                    drop(permit);
                });
            }
            // Out of file descriptors, or the peer left before it was accepted: others may still come.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection<H: Handler>(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    handler: Arc<H>,
    draining: Draining,
) {
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return requests(stream, Peer { address, certificate: None }, limits, handler, draining).await;
    };
    let Ok(Ok(stream)) = tokio::time::timeout(limits.header_time, tls.accept(stream)).await else { return };
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).map(|first| first.clone().into_owned());
    requests(stream, Peer { address, certificate }, limits, handler, draining).await;
}

async fn requests<S, H>(stream: S, peer: Peer, limits: Limits, handler: Arc<H>, draining: Draining)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let mut builder = Builder::new(TokioExecutor::new());
    let http1 = &mut builder.http1();
    http1.timer(TokioTimer::new()).header_read_timeout(limits.header_time).max_buf_size(limits.header_bytes.max(8192));
    let http2 = &mut builder.http2();
    http2.max_concurrent_streams(limits.streams).max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX));
    http2.initial_stream_window_size(1 << 20).initial_connection_window_size(4 << 20).max_send_buf_size(1 << 20);
    let peer = Arc::new(peer);
    let service = service_fn(move |request| {
        let (handler, peer) = (handler.clone(), peer.clone());
        async move {
            let head_only = *request.method() == Method::HEAD;
            let answer = handler.handle(request, peer).await;
            Ok::<_, Infallible>(if head_only { without_body(answer) } else { answer })
        }
    });
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // A connection that breaks is the client's to notice.
        _ = connection.as_mut() => return,
        () = draining.begun() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// The answer to HEAD (RFC 9110 9.3.2): HTTP/1.1 leaves the body out by itself, h2 does not.
fn without_body(mut answer: Response<Body>) -> Response<Body> {
    let length = std::mem::replace(answer.body_mut(), Body::empty()).size_hint().exact();
    let has_none = matches!(answer.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let headers = answer.headers_mut();
    if let Some(length) = length.filter(|_| !has_none && !headers.contains_key(CONTENT_LENGTH)) {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    answer
}
