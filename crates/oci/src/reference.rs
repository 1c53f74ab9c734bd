//! Names of images as docker reads them (`distribution/reference`, grammar in its `reference.go`; normalising in `normalize.go`).

use crate::digest::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A text that is no reference to an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no image reference: {why}")]
pub struct ReferenceError {
    /// The text, cut to 300 characters.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

/// `registry/repository:tag@digest`, normalised: `debian` is `docker.io/library/debian`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Host, with the port where one is named: `docker.io`, `localhost`, `127.0.0.1:5000`.
    pub registry: String,
    /// Path without the host: `library/debian`.
    pub repository: String,
    /// The tag, where one is named.
    pub tag: Option<String>,
    /// The manifest digest, where one is named.
    pub digest: Option<Digest>,
}

impl Reference {
    /// The same; `latest` when neither tag nor digest is named.
    #[must_use]
    pub fn or_latest(mut self) -> Self {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some("latest".into());
        }
        self
    }

    /// Registry and repository: `docker.io/library/debian`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }

    /// As people write it: without `docker.io/library/` or `docker.io/`.
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        let Some(short) = full.strip_prefix("docker.io/") else { return full };
        short.strip_prefix("library/").filter(|rest| !rest.contains('/')).unwrap_or(short).to_owned()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let wrong = |why| ReferenceError { text: text.chars().take(300).collect(), why };
        if text.is_empty() {
            return Err(wrong("it is empty"));
        }
        if text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(wrong("64 hexadecimal digits are an image id, not a name"));
        }
        let (rest, digest) = match text.split_once('@') {
            None => (text, None),
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(|_| wrong("what stands after `@` is no sha256 digest"))?)),
        };
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong("a tag is 1 to 128 letters, digits, `_`, `.`, `-`, and begins with none of the last two"));
        }
        let (registry, repository) = split_host(name);
        if !is_host(&registry) {
            return Err(wrong("the registry is no host name"));
        }
        if repository.len() + registry.len() > 255 {
            return Err(wrong("a name has at most 255 characters"));
        }
        if !repository.split('/').all(is_component) {
            return Err(wrong("a repository is lower-case letters and digits, joined by `.`, `_`, `__`, `-` and `/`"));
        }
        Ok(Self { registry, repository, tag: tag.map(str::to_owned), digest })
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The first part is a host when it has a dot or a colon, is `localhost`, or has an upper-case letter.
fn split_host(name: &str) -> (String, String) {
    let (host, rest) = match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" || first.bytes().any(|b| b.is_ascii_uppercase()) => {
            (first, rest)
        }
        _ => ("docker.io", name),
    };
    let host = if host == "index.docker.io" { "docker.io" } else { host };
    let official = host == "docker.io" && !rest.contains('/');
    (host.to_owned(), if official { format!("library/{rest}") } else { rest.to_owned() })
}

fn is_host(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    };
    if port.is_some_and(|port| port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit())) {
        return false;
    }
    if let Some(address) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return !address.is_empty() && address.bytes().all(|b| b.is_ascii_hexdigit() || b == b':');
    }
    name.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    })
}

/// Whether a text is a tag (distribution spec, "Pulling Manifests").
pub fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= 128 && tag.bytes().next().is_some_and(word) && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

/// Whether a text is the name of a repository without its registry (distribution spec, "Pulling Manifests"), of at most 255 characters.
pub fn is_repository(name: &str) -> bool {
    name.len() <= 255 && name.split('/').all(is_component)
}

/// Runs of letters and digits with one `.`, one or two `_`, or any number of `-` between them.
fn is_component(part: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    if !bytes.first().copied().is_some_and(word) || !bytes.last().copied().is_some_and(word) {
        return false;
    }
    part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .all(|between| matches!(between, "" | "." | "_" | "__") || between.bytes().all(|b| b == b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn reads_as_docker_does() {
        let rows = [
            ("debian", "docker.io/library/debian"),
            ("debian:bookworm-slim", "docker.io/library/debian:bookworm-slim"),
            ("me/app", "docker.io/me/app"),
            ("docker.io/debian", "docker.io/library/debian"),
            ("index.docker.io/me/app:1", "docker.io/me/app:1"),
            ("localhost/app", "localhost/app"),
            ("localhost:5000/app", "localhost:5000/app"),
            ("127.0.0.1:5000/jobs/app-a:v1", "127.0.0.1:5000/jobs/app-a:v1"),
            ("foo:5000", "docker.io/library/foo:5000"),
            ("Foo/bar", "Foo/bar"),
            ("[::1]:5000/a/b", "[::1]:5000/a/b"),
            ("a__b/c--d.e", "docker.io/a__b/c--d.e"),
        ];
        for (text, full) in rows {
            assert_eq!(text.parse::<Reference>().map(|r| r.to_string()), Ok(full.to_owned()), "{text}");
        }
        let both: Reference = format!("localhost/p/n:1@sha256:{HEX}").parse().expect("both");
        assert_eq!((both.tag.as_deref(), both.digest.map(|d| d.hex())), (Some("1"), Some(HEX.to_owned())));
        assert_eq!("debian".parse::<Reference>().expect("name").or_latest().familiar(), "debian:latest");
        assert_eq!("me/app:2".parse::<Reference>().expect("name").familiar(), "me/app:2");
    }

    #[test]
    fn refuses_as_docker_does() {
        let long = "a".repeat(256);
        for text in [
            "",
            "Debian",
            "a//b",
            "/a",
            "a/",
            "a:",
            ":a",
            "a:-b",
            "a@sha256:12",
            "a___b",
            "a..b",
            "a._b",
            "-a",
            "a-",
            "a b",
            "ex.com:x/a",
            "é",
            HEX,
            &long,
            "a@",
            "-.com/a",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
