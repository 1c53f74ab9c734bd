//! The health service of gRPC: one call of `grpc.health.v1.Health/Check`, without TLS, as the kubelet makes it.
//!
//! Sources: the gRPC protocol over HTTP/2 (PROTOCOL-HTTP2.md), the health checking protocol (health.proto).

use super::tcp;
use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::time::Duration;

/// The longest answer that is read; a right one has seven bytes.
const ANSWER: usize = 1 << 10;
/// Of a message: whether it is compressed, and its length.
const HEAD: usize = 5;
const SERVING: u64 = 1;
const UNIMPLEMENTED: &str = "12";

pub(super) async fn check(host: &str, port: u16, service: &str, timeout: Duration) -> Result<(), String> {
    let unconnected = |why: String| format!("timeout: failed to connect service \"{host}:{port}\" within {}s: {why}", timeout.as_secs());
    let ask = async {
        let stream = tcp::open(host, port, timeout).await.map_err(unconnected)?;
        call(stream, &format!("{host}:{port}"), service).await
    };
    match tokio::time::timeout(timeout, ask).await {
        Err(_) => Err(format!("timeout: health rpc did not complete within {}s", timeout.as_secs())),
        Ok(answer) => answer,
    }
}

async fn call(stream: tokio::net::TcpStream, authority: &str, service: &str) -> Result<(), String> {
    let failed = |error: hyper::Error| format!("error: health rpc probe failed: {error}");
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(failed)?;
    let request = request(authority, service)?;
    let mut exchange = std::pin::pin!(async {
        let response = sender.send_request(request).await.map_err(failed)?;
        if response.status() != 200 {
            return Err(format!("error: health rpc probe failed: the server answered {}", response.status()));
        }
        let head = response.headers().clone();
        let (body, trailers) = read(response.into_body()).await.map_err(failed)?;
        // A call that fails at once has its status in the head.
        judge(&body, trailers.as_ref().filter(|trailers| trailers.contains_key("grpc-status")).unwrap_or(&head))
    });
    // Driven here, not on a task of its own: whoever gives up drops both.
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        _ = connection => exchange.await,
    }
}

fn request(authority: &str, service: &str) -> Result<Request<Full<Bytes>>, String> {
    Request::post(format!("http://{authority}/grpc.health.v1.Health/Check"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .header(header::USER_AGENT, "kube-probe/1.36")
        .body(Full::new(question(service)))
        .map_err(|error| error.to_string())
}

/// `HealthCheckRequest { string service = 1; }` with the head of a message.
fn question(service: &str) -> Bytes {
    let mut message = Vec::new();
    if !service.is_empty() {
        message.push(1 << 3 | 2);
        let mut length = service.len();
        while length > 0x7f {
            message.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        message.push((length & 0x7f) as u8);
        message.extend_from_slice(service.as_bytes());
    }
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0][..], &length.to_be_bytes(), &message].concat().into()
}

async fn read(mut body: Incoming) -> hyper::Result<(BytesMut, Option<HeaderMap>)> {
    let (mut kept, mut trailers) = (BytesMut::new(), None);
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(data) => kept.extend_from_slice(data.get(..data.len().min(ANSWER.saturating_sub(kept.len()))).unwrap_or_default()),
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    Ok((kept, trailers))
}

fn judge(body: &[u8], told: &HeaderMap) -> Result<(), String> {
    let text = |name| told.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match text("grpc-status") {
        "0" => {}
        UNIMPLEMENTED => return Err("error: this server does not implement the grpc health protocol (grpc.health.v1.Health)".into()),
        code => return Err(format!("error: health rpc probe failed: code {code}: {}", text("grpc-message"))),
    }
    match status(body.get(HEAD..).unwrap_or_default()) {
        SERVING => Ok(()),
        2 => Err("service unhealthy (responded with \"NOT_SERVING\")".into()),
        3 => Err("service unhealthy (responded with \"SERVICE_UNKNOWN\")".into()),
        other => Err(format!("service unhealthy (responded with \"{other}\")")),
    }
}

/// `HealthCheckResponse { ServingStatus status = 1; }`; 0, unknown, where it is not there.
fn status(mut message: &[u8]) -> u64 {
    if !message.has_remaining() || message.get_u8() != 1 << 3 {
        return 0;
    }
    let mut value = 0;
    for (at, byte) in message.iter().take(9).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderValue, Response};
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use hyper::service::service_fn;
    use std::convert::Infallible;

    /// A server by the protocol: what it says of the service `x` of more than 127 letters, and of any other.
    async fn serve() -> u16 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let port = listener.local_addr().expect("address").port();
        let answer = |request: Request<Incoming>| async move {
            assert_eq!((request.uri().path(), request.method().as_str()), ("/grpc.health.v1.Health/Check", "POST"));
            let asked = request.into_body().collect().await.expect("read").to_bytes();
            let (status, code) = match asked.len() {
                HEAD => (1, "0"),
                length if length == HEAD + 3 + 200 => (2, "0"),
                _ => (0, "12"),
            };
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static(code));
            let data = Bytes::from(vec![0, 0, 0, 0, 2, 8, status]);
            let frames = [Ok::<_, Infallible>(Frame::data(data)), Ok(Frame::trailers(trailers))];
            Ok::<_, Infallible>(Response::new(StreamBody::new(futures::stream::iter(frames))))
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::spawn(server.serve_connection(TokioIo::new(stream), service_fn(answer)));
            }
        });
        port
    }

    #[tokio::test]
    async fn the_health_service_decides() {
        const SECOND: Duration = Duration::from_secs(1);
        let port = serve().await;
        assert_eq!(check("127.0.0.1", port, "", SECOND).await, Ok(()));
        assert!(check("127.0.0.1", port, &"x".repeat(200), SECOND).await.is_err_and(|why| why.contains("NOT_SERVING")));
        assert!(check("127.0.0.1", port, "other", SECOND).await.is_err_and(|why| why.contains("does not implement")));
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let port = silent.local_addr().expect("address").port();
        assert!(check("127.0.0.1", port, "", SECOND).await.is_err_and(|why| why.contains("did not complete within 1s")));
        drop(silent);
        assert!(check("127.0.0.1", port, "", SECOND).await.is_err_and(|why| why.contains("failed to connect")));
    }
}
