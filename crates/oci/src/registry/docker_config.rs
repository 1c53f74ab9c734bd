//! Docker's `config.json` and the words of its credential helpers; which file and which programs is for the caller to know.

use super::{Credential, Secret};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// The file, with all in it that is not known here.
#[derive(Clone, Default, PartialEq)]
pub struct DockerConfig {
    document: Map<String, Value>,
}

impl std::fmt::Debug for DockerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DockerConfig").finish_non_exhaustive()
    }
}

/// The largest file that is read.
pub const MAX_CONFIG_BYTES: usize = 1 << 20;
/// The longest answer of a helper.
pub const MAX_HELPER_BYTES: usize = 256 << 10;
const HUB: &str = "https://index.docker.io/v1/";

/// The name that docker gives a registry in its file and to helpers.
pub fn server_name(registry: &str) -> &str {
    if matches!(registry, "docker.io" | "index.docker.io" | "registry-1.docker.io") { HUB } else { registry }
}

/// The host in a key: without scheme and path.
fn host(key: &str) -> &str {
    let rest = key.strip_prefix("https://").or(key.strip_prefix("http://")).unwrap_or(key);
    rest.split('/').next().unwrap_or(rest)
}

fn same(key: &str, registry: &str) -> bool {
    let hub = |name: &str| if matches!(name, "index.docker.io" | "registry-1.docker.io") { "docker.io" } else { host(name) }.to_owned();
    hub(host(key)) == hub(host(server_name(registry)))
}

impl DockerConfig {
    /// Reads the file.
    ///
    /// # Errors
    /// A sentence without any of the content.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > MAX_CONFIG_BYTES {
            return Err(format!("it is longer than {MAX_CONFIG_BYTES} bytes"));
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        match serde_json::from_slice::<Value>(bytes) {
            Ok(Value::Object(document)) => Ok(Self { document }),
            Ok(_) => Err("it is no JSON object".into()),
            // The reader's own words may quote what it read.
            Err(error) => Err(format!("it is no JSON: line {}, column {}", error.line(), error.column())),
        }
    }

    /// The helper (`docker-credential-NAME`) that keeps the credentials of a registry.
    ///
    /// # Errors
    /// When the name is none: a helper is looked for in the search path alone.
    pub fn helper(&self, registry: &str) -> Result<Option<&str>, String> {
        let own = self.document.get("credHelpers").and_then(Value::as_object);
        let own = own.and_then(|helpers| helpers.iter().find(|(key, _)| same(key, registry))).map(|(_, name)| name);
        let name = own.or_else(|| self.document.get("credsStore")).and_then(Value::as_str).filter(|name| !name.is_empty());
        let plain = |name: &&str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        match name {
            None => Ok(None),
            Some(name) if plain(&name) => Ok(Some(name)),
            Some(_) => Err("the name of a credential helper is letters, digits, `.`, `_` and `-`".into()),
        }
    }

    /// What the file itself holds for a registry.
    ///
    /// # Errors
    /// A sentence without any of the content.
    pub fn stored(&self, registry: &str) -> Result<Option<Credential>, String> {
        let Some(auths) = self.document.get("auths").and_then(Value::as_object) else { return Ok(None) };
        let exact = auths.get(server_name(registry)).or_else(|| auths.get(registry));
        let Some(entry) = exact.or_else(|| auths.iter().find(|(key, _)| same(key, registry)).map(|(_, entry)| entry)) else {
            return Ok(None);
        };
        let text = |name: &str| entry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        if let Some(token) = text("registrytoken") {
            return Ok(Some(Credential::Bearer(Secret::new(token))));
        }
        if let Some(token) = text("identitytoken") {
            return Ok(Some(Credential::Identity(Secret::new(token))));
        }
        if let Some(auth) = text("auth") {
            let wrong = || format!("`auth` of `{}` is no base64 of `name:password`", registry.escape_debug());
            let decoded = STANDARD.decode(auth.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(wrong)?;
            let (user, password) = decoded.split_once(':').ok_or_else(wrong)?;
            return Ok(Some(Credential::Password { user: user.into(), password: Secret::new(password.trim_end_matches('\0')) }));
        }
        Ok(text("username")
            .zip(text("password"))
            .map(|(user, password)| Credential::Password { user: user.into(), password: Secret::new(password) }))
    }

    /// Writes down who we are at a registry; `None` says only that a helper knows it.
    pub fn store(&mut self, registry: &str, credential: Option<&Credential>) {
        self.forget(registry);
        let entry = match credential {
            None => json!({}),
            Some(Credential::Password { user, password }) => json!({"auth": STANDARD.encode(format!("{user}:{}", password.reveal()))}),
            Some(Credential::Identity(token)) => json!({"auth": STANDARD.encode("<token>:"), "identitytoken": token.reveal()}),
            Some(Credential::Bearer(token)) => json!({"registrytoken": token.reveal()}),
        };
        let auths = self.document.entry("auths").or_insert_with(|| json!({}));
        if !auths.is_object() {
            *auths = json!({});
        }
        if let Some(auths) = auths.as_object_mut() {
            auths.insert(server_name(registry).to_owned(), entry);
        }
    }

    /// Takes out what the file holds for a registry; whether there was anything.
    pub fn forget(&mut self, registry: &str) -> bool {
        let Some(auths) = self.document.get_mut("auths").and_then(Value::as_object_mut) else { return false };
        let before = auths.len();
        auths.retain(|key, _| !same(key, registry));
        auths.len() < before
    }

    /// The file's content.
    ///
    /// # Errors
    /// Never in practice: it is JSON already.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(&self.document)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// Reads what a helper answers to `get` (docker-credential-helpers).
///
/// # Errors
/// A sentence without any of the content.
pub fn parse_helper_reply(bytes: &[u8]) -> Result<Option<Credential>, String> {
    if bytes.len() > MAX_HELPER_BYTES {
        return Err("its answer is too long".into());
    }
    let reply: Value = serde_json::from_slice(bytes)
        .map_err(|error| format!("its answer is no JSON: line {}, column {}", error.line(), error.column()))?;
    let text = |name: &str| reply.get(name).and_then(Value::as_str).unwrap_or_default();
    Ok(match (text("Username"), text("Secret")) {
        (_, "") => None,
        ("<token>", secret) => Some(Credential::Identity(Secret::new(secret))),
        (user, secret) => Some(Credential::Password { user: user.into(), password: Secret::new(secret) }),
    })
}

/// What a helper is told with `store`.
pub fn helper_store(registry: &str, credential: &Credential) -> Secret {
    let (user, secret) = match credential {
        Credential::Password { user, password } => (user.as_str(), password),
        Credential::Identity(token) | Credential::Bearer(token) => ("<token>", token),
    };
    Secret::new(json!({"ServerURL": server_name(registry), "Username": user, "Secret": secret.reveal()}).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(user: &str, password: &str) -> Credential {
        Credential::Password { user: user.into(), password: Secret::new(password) }
    }

    #[test]
    fn reads_what_docker_writes() {
        let text = br#"{"auths":{
            "https://index.docker.io/v1/":{"auth":"bWU6aHVi"},
            "ghcr.io":{"auth":"bWU6Z2g6cHQ="},
            "http://127.0.0.1:5000/v2/":{"username":"a","password":"b"},
            "azure.example":{"auth":"MDAwOg==","identitytoken":"refresh"},
            "other.example":{"registrytoken":"as-is"},
            "helped.example":{}},
            "credHelpers":{"gcr.io":"gcloud"},"HttpHeaders":{"x":"y"}}"#;
        let config = DockerConfig::parse(text).expect("config");
        let rows = [
            ("docker.io", Some(password("me", "hub"))),
            ("ghcr.io", Some(password("me", "gh:pt"))),
            ("127.0.0.1:5000", Some(password("a", "b"))),
            ("azure.example", Some(Credential::Identity(Secret::new("refresh")))),
            ("other.example", Some(Credential::Bearer(Secret::new("as-is")))),
            ("helped.example", None),
            ("127.0.0.1:5001", None),
        ];
        for (registry, expected) in rows {
            assert_eq!(config.stored(registry), Ok(expected), "{registry}");
        }
        assert_eq!((config.helper("gcr.io"), config.helper("ghcr.io")), (Ok(Some("gcloud")), Ok(None)));
        assert!(DockerConfig::parse(br#"{"credsStore":"../../bin/sh"}"#).expect("config").helper("x").is_err());
    }

    #[test]
    fn writes_what_docker_reads_and_keeps_the_rest() {
        let mut config = DockerConfig::parse(br#"{"HttpHeaders":{"x":"y"},"auths":{"index.docker.io":{"auth":"eDp5"}}}"#).expect("config");
        config.store("docker.io", Some(&password("me", "p:w")));
        config.store("h:1", None);
        let written = config.to_bytes().expect("bytes");
        let value: Value = serde_json::from_slice(&written).expect("json");
        assert_eq!(
            value,
            json!({"HttpHeaders":{"x":"y"},"auths":{"https://index.docker.io/v1/":{"auth":STANDARD.encode("me:p:w")},"h:1":{}}})
        );
        let mut again = DockerConfig::parse(&written).expect("again");
        assert_eq!(again.stored("docker.io"), Ok(Some(password("me", "p:w"))));
        assert!(again.forget("docker.io") && !again.forget("docker.io"));
    }

    #[test]
    fn errors_quote_nothing() {
        for wrong in ["{\"auths\":{\"h\":{\"auth\":\"hunter2!\"}}}", "{\"auths\": hunter2", "[\"hunter2\"]"] {
            let error = DockerConfig::parse(wrong.as_bytes()).and_then(|config| config.stored("h").map(drop)).expect_err(wrong);
            assert!(!error.contains("hunter2"), "{error}");
        }
        assert!(!parse_helper_reply(b"hunter2").expect_err("no json").contains("hunter2"));
        assert_eq!(
            parse_helper_reply(br#"{"ServerURL":"x","Username":"<token>","Secret":"t"}"#),
            Ok(Some(Credential::Identity(Secret::new("t"))))
        );
        assert!(!format!("{:?}", helper_store("x", &password("me", "hunter2"))).contains("hunter2"));
        assert!(!format!("{:?}", DockerConfig::parse(br#"{"auths":{"x":{"auth":"hunter2"}}}"#)).contains("hunter2"));
    }
}
