//! One HTTP/1.1 request on a fresh connection.

use super::{Check, Endpoint};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use tokio::net::TcpStream;

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Headers by lower-case name; of several the last.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Longer bodies are refused.
const LARGEST: usize = 4 * 1024 * 1024;

/// Sends a check's request; an error is a sentence.
pub(super) async fn send(check: &Check, to: &Endpoint) -> Result<Answer, String> {
    let stream = TcpStream::connect((to.host.as_str(), to.port)).await.map_err(|error| format!("no connection: {error}"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let connection = tokio::spawn(connection);
    let authority = if to.host.contains(':') { format!("[{}]:{}", to.host, to.port) } else { format!("{}:{}", to.host, to.port) };
    let mut request = http::Request::builder().method(check.method.as_str()).uri(to.path.as_str()).header(http::header::HOST, authority);
    for (name, value) in &check.headers {
        request = request.header(name.as_str(), value.as_str());
    }
    let request = request
        .header(http::header::CONNECTION, "close")
        .body(Full::new(Bytes::from(check.body.clone())))
        .map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| format!("no answer: {error}"))?;
    let (parts, body) = response.into_parts();
    let headers =
        parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let headers = headers.collect();
    let body = Limited::new(body, LARGEST).collect().await.map_err(|error| format!("the answer broke off: {error}"))?.to_bytes();
    connection.abort();
    Ok(Answer { status: parts.status.as_u16(), headers, body: body.to_vec() })
}
