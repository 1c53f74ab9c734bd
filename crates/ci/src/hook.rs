//! Web hooks: who sent one, whether it is signed, and which branch it is about. Pure.
//!
//! What a hook says is believed only so far that the repository is looked at again: branches and commits are read from there.

use ring::hmac;
use serde_json::Value;

/// The largest body.
pub const BODY_BYTES: usize = 1 << 20;

/// A hook that is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// `github`, `gitlab` or `plain`.
    pub provider: &'static str,
    /// The sender's own name for it.
    pub id: String,
    /// The branch that it is about; `None` where it is about none, such as a tag, a ping, or a deleted branch.
    pub branch: Option<String>,
}

/// Why a hook is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is signed in none of the known ways.
    #[error("expected a signature: `X-Hub-Signature-256` (GitHub), `X-Gitlab-Token` (GitLab), or `X-Wharf-Signature-256`")]
    Unsigned,
    /// The signature is wrong.
    #[error("the signature is not made with the secret of this repository's hook")]
    Wrong,
    /// It has no name of its own.
    #[error("expected `{0}`, which names the delivery")]
    Unnamed(&'static str),
    /// Its body is not what the sender's kind sends.
    #[error("expected a JSON object with `ref`: {0}")]
    Body(String),
}

/// Headers of each kind: signature, delivery, event, and the event that is a push.
struct Kind {
    provider: &'static str,
    signature: &'static str,
    delivery: &'static str,
    event: Option<(&'static str, &'static str)>,
}

const KINDS: &[Kind] = &[
    Kind { provider: "github", signature: "x-hub-signature-256", delivery: "x-github-delivery", event: Some(("x-github-event", "push")) },
    Kind { provider: "gitlab", signature: "x-gitlab-token", delivery: "x-gitlab-event-uuid", event: Some(("x-gitlab-event", "Push Hook")) },
    Kind { provider: "plain", signature: "x-wharf-signature-256", delivery: "x-wharf-delivery", event: None },
];

/// Checks a hook.
///
/// # Errors
/// Why it is refused.
pub fn check<'h>(header: impl Fn(&'static str) -> Option<&'h str>, body: &[u8], secret: &str) -> Result<Delivery, Refused> {
    let signed = KINDS.iter().find_map(|kind| Some((kind, header(kind.signature)?)));
    let (kind, signature) = signed.ok_or(Refused::Unsigned)?;
    let right = match kind.provider {
        "gitlab" => same(signature.as_bytes(), secret.as_bytes()),
        _ => is_signed(signature, body, secret),
    };
    if !right || secret.is_empty() {
        return Err(Refused::Wrong);
    }
    let id = header(kind.delivery).filter(|id| !id.is_empty() && id.len() <= 200 && id.bytes().all(|b| b.is_ascii_graphic()));
    let id = id.ok_or(Refused::Unnamed(kind.delivery))?.to_owned();
    let is_push = kind.event.is_none_or(|(name, push)| header(name) == Some(push));
    let branch = if is_push { branch(body)? } else { None };
    Ok(Delivery { provider: kind.provider, id, branch })
}

fn is_signed(signature: &str, body: &[u8], secret: &str) -> bool {
    let Some(tag) = signature.strip_prefix("sha256=").and_then(unhex) else { return false };
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body, &tag).is_ok()
}

/// In a time that does not tell where they differ: both are signed with a key of the moment.
fn same(one: &[u8], other: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &base::ids::random::<32>());
    hmac::verify(&key, one, hmac::sign(&key, other).as_ref()).is_ok()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len() == 64)?;
    Some(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

fn branch(body: &[u8]) -> Result<Option<String>, Refused> {
    let value: Value = serde_json::from_slice(body).map_err(|error| Refused::Body(error.to_string()))?;
    let name = value.get("ref").and_then(Value::as_str).ok_or_else(|| Refused::Body("it has none".to_owned()))?;
    let zero = value.get("after").and_then(Value::as_str).is_some_and(|after| after.bytes().all(|b| b == b'0'));
    let gone = zero || value.get("deleted") == Some(&Value::Bool(true));
    Ok(name.strip_prefix("refs/heads/").filter(|_| !gone).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "It's a Secret to Everybody";

    fn checked(headers: &[(&'static str, &str)], body: &[u8]) -> Result<Delivery, Refused> {
        check(|name| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value), body, SECRET)
    }

    fn signature(body: &[u8]) -> String {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), body);
        format!("sha256={}", base::ids::hex(tag.as_ref()))
    }

    #[test]
    fn signatures_of_each_kind() {
        // The example of GitHub's own documentation.
        let documented = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(is_signed(documented, b"Hello, World!", SECRET));
        let body = br#"{"ref":"refs/heads/main","after":"1"}"#;
        let good = signature(body);
        let github = [("x-hub-signature-256", good.as_str()), ("x-github-delivery", "1"), ("x-github-event", "push")];
        let delivery = |provider| Delivery { provider, id: "1".into(), branch: Some("main".into()) };
        assert_eq!(checked(&github, body), Ok(delivery("github")));
        assert_eq!(checked(&github, b"{}"), Err(Refused::Wrong));
        assert_eq!(checked(&github[..1], body), Err(Refused::Unnamed("x-github-delivery")));
        let ping = [github[0], github[1], ("x-github-event", "ping")];
        assert_eq!(checked(&ping, body).expect("signed").branch, None);
        let gitlab = [("x-gitlab-token", SECRET), ("x-gitlab-event-uuid", "1"), ("x-gitlab-event", "Push Hook")];
        assert_eq!(checked(&gitlab, body), Ok(delivery("gitlab")));
        assert_eq!(checked(&[("x-gitlab-token", "It's"), gitlab[1], gitlab[2]], body), Err(Refused::Wrong));
        let plain = [("x-wharf-signature-256", good.as_str()), ("x-wharf-delivery", "1")];
        assert_eq!(checked(&plain, body), Ok(delivery("plain")));
        assert_eq!(checked(&[], body), Err(Refused::Unsigned));
        assert_eq!(check(|name| (name == "x-gitlab-token").then_some(""), body, ""), Err(Refused::Wrong));
    }

    #[test]
    fn what_deletes_or_tags_is_about_no_branch() {
        for body in [
            r#"{"ref":"refs/heads/main","deleted":true}"#,
            r#"{"ref":"refs/heads/main","after":"0000000000000000000000000000000000000000"}"#,
            r#"{"ref":"refs/tags/v1","after":"1"}"#,
        ] {
            assert_eq!(branch(body.as_bytes()), Ok(None), "{body}");
        }
        assert!(branch(b"[]").is_err() && branch(b"{\"ref\":1}").is_err());
        let deep = format!("{{\"ref\":{}", "[".repeat(100_000));
        assert!(branch(deep.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn nothing_unsigned_passes(body in proptest::collection::vec(any::<u8>(), 0..200), tag in "sha256=[0-9a-f]{0,70}") {
            prop_assert!(checked(&[("x-hub-signature-256", &tag), ("x-github-delivery", "1")], &body).is_err());
            let _ = branch(&body);
        }
    }
}
