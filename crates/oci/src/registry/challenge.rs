//! `WWW-Authenticate` (RFC 9110 section 11.6.1), and tokens as registries hand them out.

use super::Secret;
use serde::Deserialize;
use std::collections::BTreeMap;

/// How a server wants to be told who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// `bearer` or `basic`, in lower case.
    pub scheme: String,
    /// By name in lower case; a name that comes twice keeps its first value.
    pub parameters: BTreeMap<String, String>,
}

/// Longer headers are cut here.
const MAX_BYTES: usize = 16 << 10;
const MAX_CHALLENGES: usize = 16;
const MAX_PARAMETERS: usize = 32;
/// The answer of a token server.
pub const MAX_TOKEN_REPLY: usize = 512 << 10;
const MAX_TOKEN: usize = 128 << 10;

/// All challenges of one header. What cannot be read ends the reading; it never fails.
pub fn parse_challenges(header: &str) -> Vec<Challenge> {
    let end = (0..=MAX_BYTES.min(header.len())).rev().find(|&at| header.is_char_boundary(at)).unwrap_or(0);
    let mut rest = header.get(..end).unwrap_or_default();
    let mut found: Vec<Challenge> = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (word, after) = token(rest);
        if word.is_empty() || found.len() > MAX_CHALLENGES {
            return found;
        }
        let follows = after.trim_start_matches([' ', '\t']);
        match (follows.strip_prefix('='), found.last_mut()) {
            // `name=value` belongs to the scheme before it.
            (Some(value), Some(challenge)) => {
                let (value, after) = parameter(value.trim_start_matches([' ', '\t']));
                if challenge.parameters.len() < MAX_PARAMETERS {
                    challenge.parameters.entry(word.to_ascii_lowercase()).or_insert(value);
                }
                rest = after;
            }
            (Some(_), None) => return found,
            (None, _) => {
                found.push(Challenge { scheme: word.to_ascii_lowercase(), parameters: BTreeMap::new() });
                rest = after;
            }
        }
    }
}

fn token(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/".contains(c))).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn parameter(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = token(text);
        // What is no token is skipped up to the next comma.
        return if value.is_empty() {
            (String::new(), text.find(',').and_then(|at| text.get(at..)).unwrap_or_default())
        } else {
            (value.to_owned(), rest)
        };
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, quoted.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

/// A token and how long it is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The token.
    pub token: Secret,
    /// Seconds.
    pub seconds: u64,
}

/// Reads what a token server answers.
///
/// # Errors
/// A sentence without any of the content.
pub fn parse_token(bytes: &[u8]) -> Result<Token, String> {
    #[derive(Deserialize)]
    struct Reply {
        token: Option<String>,
        access_token: Option<String>,
        expires_in: Option<f64>,
    }
    if bytes.len() > MAX_TOKEN_REPLY {
        return Err("the answer is too long".into());
    }
    // Messages of the JSON reader may quote what they read.
    let reply: Reply = serde_json::from_slice(bytes)
        .map_err(|error| format!("the answer is no token (line {}, column {})", error.line(), error.column()))?;
    let token = reply.token.filter(|token| !token.is_empty()).or(reply.access_token).unwrap_or_default();
    if token.is_empty() {
        return Err("the answer holds no token".into());
    }
    if token.len() > MAX_TOKEN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the answer holds a token that no header can carry".into());
    }
    // What says nothing is good for a minute (distribution, token authentication).
    let seconds = reply.expires_in.filter(|seconds| *seconds >= 1.0).unwrap_or(60.0).min(86_400.0);
    Ok(Token { token: Secret::new(token), seconds: seconds as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(header: &str) -> Challenge {
        parse_challenges(header).into_iter().next().expect(header)
    }

    #[test]
    fn reads_what_registries_send() {
        let bearer =
            one(r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/debian:pull,push""#);
        assert_eq!(bearer.scheme, "bearer");
        assert_eq!(bearer.parameters["realm"], "https://auth.docker.io/token");
        assert_eq!(bearer.parameters["scope"], "repository:library/debian:pull,push");
        assert_eq!(one("Basic realm=\"a \\\"b\\\", c\"").parameters["realm"], "a \"b\", c");
        let two = parse_challenges("Negotiate, Basic realm=x , Bearer realm = \"y\",error=invalid_token");
        let schemes: Vec<_> = two.iter().map(|challenge| challenge.scheme.as_str()).collect();
        assert_eq!(schemes, ["negotiate", "basic", "bearer"]);
        assert_eq!(two[2].parameters["error"], "invalid_token");
        for odd in ["", ",", "=", "a=b", "Bearer realm=\"open", "Bearer realm=\"x\\", "é", "Bearer é=1", "\u{0}"] {
            parse_challenges(odd);
        }
    }

    #[test]
    fn reads_tokens_and_quotes_nothing_of_them() {
        let token = parse_token(br#"{"access_token":"abc","expires_in":300,"issued_at":"x"}"#).expect("token");
        assert_eq!((token.token.reveal(), token.seconds), ("abc", 300));
        assert_eq!(parse_token(br#"{"token":"","access_token":"abc"}"#).expect("token").seconds, 60);
        for wrong in [
            "",
            "{}",
            "[]",
            r#"{"token":"hunter2 "}"#,
            r#"{"token":7777777}"#,
            r#"{"token":"a\nb"}"#,
            r#"{"token":"hunter2","expires_in":"hunter2"}"#,
        ] {
            let error = parse_token(wrong.as_bytes()).expect_err(wrong);
            assert!(!error.contains("hunter2") && !error.contains("7777"), "{error}");
        }
    }
}
