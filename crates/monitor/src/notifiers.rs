//! The ways of telling somebody, one file each; [`NOTIFIERS`] lists them.

mod mail;
mod slack;
mod webhook;

pub use mail::is_address as is_mail_address;

use crate::{Notice, Receiver};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// How long one telling may take altogether.
pub const LONGEST_SENDING: Duration = Duration::from_secs(60);

/// One way of telling somebody.
pub struct Notifier {
    /// Its name.
    pub name: &'static str,
    /// Whether it is the way of a receiver.
    pub serves: fn(&Receiver) -> bool,
    /// Tells it. Done is what the other side has acknowledged.
    pub send: for<'a> fn(&'a Parcel<'a>) -> Sending<'a>,
}

/// Every way.
pub const NOTIFIERS: &[Notifier] = &[mail::NOTIFIER, webhook::NOTIFIER, slack::NOTIFIER];

/// A telling on its way.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send + 'a>>;

/// What is told to whom.
#[derive(Clone, Copy, Debug)]
pub struct Parcel<'a> {
    /// What makes it this one: the same for each try, so that the other side knows a double.
    pub id: &'a str,
    /// What is told.
    pub notice: &'a Notice,
    /// Who is told.
    pub receiver: &'a Receiver,
    /// Who of it.
    pub address: &'a str,
    /// For what goes over HTTP.
    pub http: &'a net::client::Client,
}

/// Why something was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A sentence without any secret.
    pub why: String,
    /// Whether the other side said no, which it will say again until somebody changes something.
    pub lasting: bool,
}

impl Refusal {
    /// It may be taken soon.
    pub fn passing(why: impl Into<String>) -> Self {
        Self { why: why.into(), lasting: false }
    }

    /// It was said no to.
    pub fn lasting(why: impl Into<String>) -> Self {
        Self { why: why.into(), lasting: true }
    }
}

/// POSTs JSON; any 2xx is taken.
async fn post(http: &net::client::Client, url: &net::client::Url, headers: http::HeaderMap, body: Vec<u8>) -> Result<(), Refusal> {
    let origin = url.origin.to_string();
    let mut call = net::client::Call::new(http::Method::POST, url.clone());
    call.headers = headers;
    call.headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    call.payload = net::client::Payload::Bytes(body.into());
    let reply = http.send(call).await.map_err(|error| Refusal::passing(error.to_string()))?;
    let status = reply.status;
    reply.discard().await;
    match status.as_u16() {
        200..=299 => Ok(()),
        // Not now, or not yet (RFC 9110 section 15, RFC 6585 section 4).
        408 | 425 | 429 | 500..=599 => Err(Refusal::passing(format!("`{origin}` answered {status}"))),
        300..=399 => Err(Refusal::lasting(format!("`{origin}` answered {status}: name the address that it leads to"))),
        _ => Err(Refusal::lasting(format!("`{origin}` answered {status}"))),
    }
}
