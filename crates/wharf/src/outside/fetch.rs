//! Files from addresses, for `ADD`.

use crate::sandbox::Sandbox;
use builder::{Fetch, Fetched, Unavailable, Version};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use net::client::{Call, Client, ClientError, ClientErrorKind, ClientOptions, Reply, Url};
use std::io::Write;
use std::sync::Arc;

/// As many redirects as most clients follow.
const MAX_REDIRECTS: usize = 10;
/// Tries of what failed in passing, before any of it came.
const TRIES: usize = 3;

/// Fetches by HTTP and HTTPS, without any credentials.
pub struct HttpFetch {
    sandbox: Arc<Sandbox>,
    client: Client,
}

impl HttpFetch {
    /// Connects to nothing yet; it waits on the sandbox's threads.
    pub fn new(sandbox: Arc<Sandbox>, options: ClientOptions) -> Self {
        Self { sandbox, client: Client::new(options) }
    }

    async fn ask(&self, url: &str, known: &Version) -> Result<Reply, Unavailable> {
        let mut place = Url::parse(url).map_err(|error| no(error.to_string()))?;
        for _ in 0..=MAX_REDIRECTS {
            let reply = self.send(&place, known).await.map_err(|error| unreached(url, &error))?;
            match reply.header(header::LOCATION) {
                Some(location) if reply.status.is_redirection() && reply.status != StatusCode::NOT_MODIFIED => {
                    place = follow(&place, location).map_err(|why| no(format!("`{url}` leads elsewhere: {why}")))?;
                    reply.discard().await;
                }
                _ => return Ok(reply),
            }
        }
        Err(no(format!("`{url}` leads from one address to the next more than {MAX_REDIRECTS} times")))
    }

    async fn send(&self, place: &Url, known: &Version) -> Result<Reply, ClientError> {
        let mut tries = 1;
        loop {
            let mut call = Call::new(Method::GET, place.clone());
            let conditions = [(header::IF_NONE_MATCH, &known.etag), (header::IF_MODIFIED_SINCE, &known.last_modified)];
            for (name, value) in conditions {
                add(&mut call, name, value.as_deref());
            }
            // What comes is stored as it is.
            add(&mut call, header::ACCEPT_ENCODING, Some("identity"));
            match self.client.send(call).await {
                Err(error) if error.is_passing() && tries < TRIES => {
                    tokio::time::sleep(std::time::Duration::from_millis(200 * tries as u64)).await;
                    tries += 1;
                }
                other => return other,
            }
        }
    }
}

/// Where a redirect leads; never from what is encrypted to what is not.
fn follow(place: &Url, location: &str) -> Result<Url, String> {
    let next = place.join(location).map_err(|error| error.to_string())?;
    if place.origin.tls && !next.origin.tls {
        return Err(format!("`{next}` is not encrypted, and anybody on the way could change it"));
    }
    Ok(next)
}

fn add(call: &mut Call, name: HeaderName, value: Option<&str>) {
    if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
        call.headers.insert(name, value);
    }
}

impl Fetch for HttpFetch {
    fn fetch(&self, url: &str, known: &Version, out: &mut dyn Write) -> Result<Fetched, Unavailable> {
        self.sandbox.tokio().block_on(async {
            let mut reply = self.ask(url, known).await?;
            if reply.status == StatusCode::NOT_MODIFIED {
                return Ok(Fetched::Unchanged);
            }
            if reply.status != StatusCode::OK {
                let message = format!("`{url}` cannot be fetched: the server answers {}", reply.status.as_u16());
                return Err(Unavailable { message, hint: String::new(), is_unreachable: reply.status.is_server_error() });
            }
            let version = Version {
                etag: reply.header(header::ETAG).map(str::to_owned),
                last_modified: reply.header(header::LAST_MODIFIED).map(str::to_owned),
            };
            while let Some(chunk) = reply.chunk().await.map_err(|error| unreached(url, &error))? {
                out.write_all(&chunk).map_err(|error| no(format!("`{url}` cannot be stored: {error}")))?;
            }
            Ok(Fetched::New(version))
        })
    }
}

fn no(message: String) -> Unavailable {
    Unavailable { message, hint: String::new(), is_unreachable: false }
}

fn unreached(url: &str, error: &ClientError) -> Unavailable {
    let hint = match error.kind {
        ClientErrorKind::Proxy => "look at HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
        ClientErrorKind::Tls => "an address of plain http, with --checksum, needs no certificate",
        _ => "check the address, or fetch the file before the build (`prepare` in wharf.yaml) and copy it",
    };
    Unavailable { message: format!("`{url}` cannot be fetched: {error}"), hint: hint.to_owned(), is_unreachable: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_keep_what_is_encrypted() {
        let from = |url: &str, location: &str| follow(&Url::parse(url).expect(url), location).map(|url| url.to_string());
        assert_eq!(from("https://a/x", "/y"), Ok("https://a/y".to_owned()));
        assert_eq!(from("http://a/x", "https://b/y"), Ok("https://b/y".to_owned()));
        assert_eq!(from("http://a/x", "http://b/y"), Ok("http://b/y".to_owned()));
        assert!(from("https://a/x", "http://a/x").expect_err("refused").contains("not encrypted"));
    }
}
