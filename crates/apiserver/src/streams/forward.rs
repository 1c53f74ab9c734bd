//! Port-forward: each connection of the client to a port of the pod. Source: kubernetes `pkg/kubelet/cri/streaming/portforward`.

use super::Io;
use super::channels::{self, BUFFER, Channels};
use super::spdy::{Session, SpdyStream};
use crate::core::Core;
use crate::request::Query;
use k8s::{ApiError, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, copy_bidirectional, duplex};
use tokio_tungstenite::WebSocketStream;

/// The pod.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) core: Arc<Core>,
    pub(super) pod: Arc<Value>,
}

/// Connections that wait for the second of their two streams.
const HALF_OPEN: usize = 256;

impl Target {
    /// Joins one connection; what goes wrong is said on its error stream.
    async fn join(self, port: u16, mut data: impl AsyncRead + AsyncWrite + Unpin, mut error: impl AsyncWrite + Unpin) {
        match self.core.node.port_forward(&self.pod, port).await {
            Ok(mut inside) => {
                let _ = copy_bidirectional(&mut data, &mut inside).await;
            }
            Err(why) => {
                let told = format!("error forwarding port {port} to pod: {}", why.message);
                let _ = error.write_all(told.as_bytes()).await;
            }
        }
        let _ = data.shutdown().await;
        let _ = error.shutdown().await;
    }
}

/// The ports of the channel protocol.
///
/// # Errors
/// 400 for what is no port.
pub(super) fn ports(query: &Query) -> Result<Vec<u16>, ApiError> {
    let read = |text: &str| {
        text.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(|| ApiError::bad_request(format!("invalid port {text:?}")))
    };
    query.all("ports").iter().flat_map(|list| list.split(',')).filter(|text| !text.is_empty()).map(read).collect()
}

/// Over SPDY: for each connection two streams, `error` and `data`, with the same `requestID`.
pub(super) async fn spdy(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, target: Target) {
    let mut session = Session::begin(io);
    let mut half: BTreeMap<String, SpdyStream> = BTreeMap::new();
    while let Some(stream) = session.accept().await {
        let request = stream.header("requestid").to_owned();
        let Some(other) = half.remove(&request) else {
            if half.len() < HALF_OPEN {
                half.insert(request, stream);
            }
            continue;
        };
        let (data, error) = if stream.header("streamtype") == "data" { (stream, other) } else { (other, stream) };
        let Some(port) = data.header("port").parse().ok().filter(|port: &u16| *port > 0) else { continue };
        tokio::spawn(target.clone().join(port, data.io, error.io));
    }
}

/// Over channels: port number `n` has channels `2n` for data and `2n + 1` for errors, which begin with the port itself.
pub(super) async fn channels(socket: WebSocketStream<Io>, ports: &[u16], closes: bool, target: Target) {
    let mut channels = Channels { tell_close: true, ..Channels::default() };
    let mut tasks = tokio::task::JoinSet::new();
    for (at, &port) in ports.iter().enumerate().take(100) {
        let Ok(number) = u8::try_from(at * 2) else { break };
        let (data_in, theirs_in) = duplex(BUFFER);
        let (mut data_out, theirs_out) = duplex(BUFFER);
        let (mut error, their_error) = duplex(BUFFER);
        channels.inward.insert(number, theirs_in);
        channels.outward.insert(number, theirs_out);
        channels.outward.insert(number + 1, their_error);
        let target = target.clone();
        tasks.spawn(async move {
            let begin = port.to_le_bytes();
            if data_out.write_all(&begin).await.is_ok() && error.write_all(&begin).await.is_ok() {
                target.join(port, Joined(data_in, data_out), error).await;
            }
        });
    }
    channels::pump(socket, channels, closes).await;
}

/// Reads from one, writes to the other.
struct Joined(DuplexStream, DuplexStream);

impl AsyncRead for Joined {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Joined {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        std::pin::Pin::new(&mut self.1).poll_write(context, bytes)
    }
    fn poll_flush(mut self: std::pin::Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.1).poll_flush(context)
    }
    fn poll_shutdown(mut self: std::pin::Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<std::io::Result<()>> {
        std::pin::Pin::new(&mut self.1).poll_shutdown(context)
    }
}
