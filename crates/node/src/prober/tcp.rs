//! A connection that opens.

use std::time::Duration;
use tokio::net::TcpStream;

pub(super) async fn connect(host: &str, port: u16, timeout: Duration) -> Result<(), String> {
    open(host, port, timeout).await.map(drop)
}

pub(super) async fn open(host: &str, port: u16, timeout: Duration) -> Result<TcpStream, String> {
    let at = || if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    match tokio::time::timeout(timeout, TcpStream::connect((host, port))).await {
        Err(_) => Err(format!("dial tcp {}: i/o timeout", at())),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            Err(format!("dial tcp {}: connect: connection refused", at()))
        }
        Ok(Err(error)) => Err(format!("dial tcp {}: {error}", at())),
        Ok(Ok(stream)) => Ok(stream),
    }
}
