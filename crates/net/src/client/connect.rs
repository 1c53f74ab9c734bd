//! Connections: name to address, through a proxy where one is set, TLS on top where the address says so.

use super::Trust;
use super::error::{ClientError, ClientErrorKind};
use super::proxy::Proxy;
use super::roots::Roots;
use super::url::Origin;
use rustls::pki_types::ServerName;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A connection of any kind.
pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// For one of several addresses; the whole is bounded by the caller.
const ONE_ADDRESS: Duration = Duration::from_secs(4);
/// A proxy's answer to CONNECT.
const MAX_ANSWER: usize = 16 << 10;

pub(crate) async fn connect(origin: &Origin, trust: Trust, proxy: Option<&Proxy>, roots: &Roots) -> Result<Box<dyn Io>, ClientError> {
    let Some(proxy) = proxy else {
        let stream = tcp(origin).await?;
        return if origin.tls { tls(origin, trust, Box::new(stream), roots).await } else { Ok(Box::new(stream)) };
    };
    let through = |error: ClientError| ClientError::new(ClientErrorKind::Proxy, origin, format!("through the proxy {error}"));
    let stream = tcp(&proxy.origin).await.map_err(through)?;
    let mut stream: Box<dyn Io> = Box::new(stream);
    if proxy.origin.tls {
        stream = tls(&proxy.origin, Trust::Checked, stream, roots).await.map_err(through)?;
    }
    if !origin.tls {
        return Ok(stream);
    }
    tunnel(origin, proxy, &mut stream).await?;
    tls(origin, trust, stream, roots).await
}

async fn tcp(origin: &Origin) -> Result<TcpStream, ClientError> {
    let found = tokio::net::lookup_host((origin.host.as_str(), origin.port)).await;
    let found = found.map_err(|error| ClientError::new(ClientErrorKind::Resolve, origin, format!("the name has no address: {error}")))?;
    let mut why = "the name has no address".to_owned();
    let addresses: Vec<_> = found.collect();
    for (at, address) in addresses.iter().enumerate() {
        let connecting = TcpStream::connect(address);
        let connected = if at + 1 < addresses.len() { tokio::time::timeout(ONE_ADDRESS, connecting).await } else { Ok(connecting.await) };
        match connected {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => why = format!("cannot connect to {address}: {error}"),
            Err(_) => why = format!("cannot connect to {address}: no answer"),
        }
    }
    Err(ClientError::new(ClientErrorKind::Connect, origin, why))
}

async fn tls(origin: &Origin, trust: Trust, stream: Box<dyn Io>, roots: &Roots) -> Result<Box<dyn Io>, ClientError> {
    let refused = |why: String| ClientError::new(ClientErrorKind::Tls, origin, why);
    let config = roots.config(trust).map_err(refused)?;
    let name = ServerName::try_from(origin.host.clone()).map_err(|error| refused(error.to_string()))?;
    match TlsConnector::from(config).connect(name, stream).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => Err(refused(format!("no TLS: {error}"))),
    }
}

/// RFC 9110 section 9.3.6.
async fn tunnel(origin: &Origin, proxy: &Proxy, stream: &mut Box<dyn Io>) -> Result<(), ClientError> {
    let refused = |why: String| ClientError::new(ClientErrorKind::Proxy, origin, format!("the proxy `{}`: {why}", proxy.origin));
    let host = if origin.host.contains(':') { format!("[{}]", origin.host) } else { origin.host.clone() };
    let to = format!("{host}:{}", origin.port);
    let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
    if let Some(credentials) = proxy.authorization() {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(credentials.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await.map_err(|error| refused(error.to_string()))?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        // One byte at a time: what follows the head belongs to TLS.
        let byte = stream.read_u8().await.map_err(|error| refused(error.to_string()))?;
        answer.push(byte);
        if answer.len() > MAX_ANSWER {
            return Err(refused("its answer is too long".into()));
        }
    }
    let head = String::from_utf8_lossy(&answer);
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    if status.len() == 3 && status.starts_with('2') {
        Ok(())
    } else {
        Err(refused(format!("it answers {}", head.lines().next().unwrap_or_default().escape_debug())))
    }
}
