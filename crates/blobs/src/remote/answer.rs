//! What registries answer when they do not do what was asked, and how long to wait before asking again.

use super::base::Base;
use super::error::RemoteError;
use http::{StatusCode, header};
use net::client::Reply;
use serde::Deserialize;
use std::time::Duration;

/// Further tries while nobody answers at all.
pub(crate) const UNREACHED_TRIES: u32 = 2;
const MAX_ERRORS: usize = 64 << 10;
const MAX_SHOWN: usize = 300;

/// Before the next try: 0.2 s, doubled each time, up to 8 s, and up to a quarter more so that many do not come at once.
pub(crate) fn backoff(tries: u32) -> Duration {
    let base = Duration::from_millis(200).saturating_mul(1 << tries.min(8)).min(Duration::from_secs(8));
    base + base.mul_f32(f32::from(::base::ids::random::<1>()[0]) / 1024.0)
}

/// What a registry asks to wait, in seconds (RFC 9110 section 10.2.3); dates are not read.
pub(crate) fn retry_after(reply: &Reply) -> Option<Duration> {
    reply.header(header::RETRY_AFTER)?.trim().parse().ok().map(Duration::from_secs)
}

/// Whether the same request may go better later.
pub(crate) fn is_busy(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// The failure that an answer is. `what` is what was asked for, should it not be there.
pub(crate) async fn failure(base: &Base, action: &str, what: &str, reply: Reply) -> RemoteError {
    let status = reply.status;
    let why = reply.bytes(MAX_ERRORS).await.map(|bytes| said(&bytes)).unwrap_or_default();
    let (registry, action) = (base.registry.clone(), action.to_owned());
    match status.as_u16() {
        404 => RemoteError::Missing { registry, what: what.to_owned() },
        401 | 403 => {
            let why =
                if why.is_empty() { format!("it answers {}", status.as_u16()) } else { format!("it answers {} ({why})", status.as_u16()) };
            RemoteError::Login { registry, action, why }
        }
        busy if is_busy(status) => RemoteError::Busy { registry, action, status: busy, why },
        status => RemoteError::Refused { registry, action, status, why },
    }
}

/// The errors in an answer (distribution spec, "Error Codes"), safe to show.
pub(crate) fn said(bytes: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Errors {
        #[serde(default)]
        errors: Vec<One>,
    }
    #[derive(Deserialize)]
    struct One {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let Ok(answer) = serde_json::from_slice::<Errors>(bytes) else { return String::new() };
    let shown: Vec<String> = answer.errors.iter().take(4).map(|one| format!("{}: {}", one.code, one.message)).collect();
    shown.join("; ").chars().filter(|c| !c.is_control()).take(MAX_SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_is_said_and_moves_no_cursor() {
        assert_eq!(said(br#"{"errors":[{"code":"DENIED","message":"no\u001b[2J","detail":{}}]}"#), "DENIED: no[2J");
        assert_eq!(said(b"<html>"), "");
        assert!(said(format!(r#"{{"errors":[{{"code":"X","message":"{}"}}]}}"#, "y".repeat(9000)).as_bytes()).len() <= MAX_SHOWN);
    }

    #[test]
    fn waits_longer_each_time_and_never_for_ever() {
        assert!(backoff(0) < Duration::from_millis(260));
        assert!(backoff(3) >= Duration::from_millis(1600));
        assert!(backoff(u32::MAX) <= Duration::from_secs(10));
    }
}
