//! Web hooks as <https://www.standardwebhooks.com> describes them: JSON with an id, a time, and an HMAC-SHA256 over both and the body.

use super::{Notifier, Parcel, Refusal, Sending};
use crate::{Notice, Secret, Way};
use base::{Clock, SystemClock, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};
use ring::hmac;
use serde_json::json;

/// See the module.
pub const NOTIFIER: Notifier = Notifier { name: "webhook", serves: |receiver| matches!(receiver.way, Way::WebHook(_)), send };

fn send<'a>(parcel: &'a Parcel<'a>) -> Sending<'a> {
    Box::pin(async move {
        let Way::WebHook(hook) = &parcel.receiver.way else { return Err(Refusal::lasting("it is no web hook")) };
        let body = body(parcel.notice);
        let headers = headers(parcel.id, SystemClock.now(), hook.secret.as_ref(), &body);
        let headers = headers.ok_or_else(|| Refusal::lasting("the id is no header"))?;
        super::post(parcel.http, &hook.url, headers, body).await
    })
}

/// `type`, `timestamp` and `data`, as the specification recommends.
fn body(notice: &Notice) -> Vec<u8> {
    json!({"type": notice.kind.name(), "timestamp": notice.at.rfc3339(), "data": notice}).to_string().into_bytes()
}

fn headers(id: &str, at: Timestamp, secret: Option<&Secret>, body: &[u8]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let at = at.seconds().to_string();
    headers.insert("webhook-id", HeaderValue::from_str(id).ok()?);
    headers.insert("webhook-timestamp", HeaderValue::from_str(&at).ok()?);
    if let Some(secret) = secret {
        let signed = [id.as_bytes(), b".", at.as_bytes(), b".", body].concat();
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key(secret)), &signed);
        headers.insert("webhook-signature", HeaderValue::from_str(&format!("v1,{}", STANDARD.encode(tag))).ok()?);
    }
    Some(headers)
}

/// `whsec_` and base64, or the bytes as they are.
fn key(secret: &Secret) -> Vec<u8> {
    let text = secret.reveal();
    let decoded = text.strip_prefix("whsec_").and_then(|encoded| STANDARD.decode(encoded).ok());
    decoded.unwrap_or_else(|| text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_the_specifications_own() {
        // The example of the reference libraries' own tests.
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let at = Timestamp::from_micros(1_614_265_330_000_000);
        let headers = headers("msg_p5jXN8AQM9LWM0D4loKWxJek", at, Some(&secret), br#"{"test": 2432232314}"#).expect("headers");
        assert_eq!(headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(headers["webhook-timestamp"], "1614265330");
        assert_eq!(key(&Secret::new("plain")), b"plain");
    }
}
