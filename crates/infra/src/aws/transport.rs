//! How a request gets to a service and its answer back: over the network, or to a fake.

use async_trait::async_trait;
use base::Timestamp;
use http::{HeaderName, HeaderValue, Method};
use net::client::{Call, Client, ClientOptions, Payload, Url};

/// A request as it is signed and sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// GET or POST.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Names in lower case. `host` is added by who sends, as the signature has it.
    pub headers: Vec<(String, String)>,
    /// What is sent along.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Neither headers nor body: they may hold secrets.
        write!(f, "{} {}", self.method, self.url.origin)
    }
}

/// What a service said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Status of HTTP.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// The header `x-amzn-requestid`, or empty.
    pub request_id: String,
    /// The header `x-amzn-errortype`, or empty.
    pub error_type: String,
    /// The header `date`.
    pub date: Option<Timestamp>,
}

/// No answer came. The request may have been carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Why, without anything of the request.
    pub why: String,
}

/// Sends requests.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends one and waits for its answer, of any status.
    ///
    /// # Errors
    /// When none comes.
    async fn send(&self, request: Request) -> Result<Answer, Lost>;
}

/// Over the network, HTTPS by our own client.
#[derive(Clone, Debug)]
pub struct NetTransport {
    client: Client,
}

impl NetTransport {
    /// Connects to nothing yet.
    pub fn new(options: ClientOptions) -> Self {
        Self { client: Client::new(options) }
    }
}

#[async_trait]
impl Transport for NetTransport {
    async fn send(&self, request: Request) -> Result<Answer, Lost> {
        let unsent = |why: String| Lost { why };
        let mut call = Call::new(request.method, request.url);
        for (name, value) in &request.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| unsent(error.to_string()))?;
            let mut value = HeaderValue::from_str(value).map_err(|error| unsent(error.to_string()))?;
            value.set_sensitive(true);
            call.headers.insert(name, value);
        }
        if !request.body.is_empty() {
            call.payload = Payload::Bytes(request.body.into());
        }
        let lost = |error: net::client::ClientError| Lost { why: error.to_string() };
        let reply = self.client.send(call).await.map_err(lost)?;
        let header = |name: &str| reply.header(name).unwrap_or_default().to_owned();
        let (request_id, error_type) = (header("x-amzn-requestid"), header("x-amzn-errortype"));
        let (status, date) = (reply.status.as_u16(), reply.header("date").and_then(http_date));
        let body = reply.bytes(super::xml::LONGEST).await.map_err(lost)?.to_vec();
        Ok(Answer { status, body, request_id, error_type, date })
    }
}

/// A date as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 section 5.6.7; the older forms are not read).
pub(crate) fn http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut words = text.split_once(", ")?.1.split(' ');
    let (day, month, year, clock) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|known| *known == month)? + 1;
    Timestamp::parse_rfc3339(&format!("{year}-{month:02}-{day}T{clock}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_dates_of_http() {
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT").map(Timestamp::rfc3339).as_deref(), Some("1994-11-06T08:49:37Z"));
        for wrong in ["", "Sun, 6 Nov 1994", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Foo 1994 08:49:37 GMT"] {
            assert_eq!(http_date(wrong), None, "{wrong}");
        }
    }
}
