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

/// How closely a key of a pull secret fits a repository: the length of its path, twice, and one more for a host without `*`.
fn fit(key: &str, registry: &str, repository: &str) -> Option<usize> {
    let rest = key.strip_prefix("https://").or(key.strip_prefix("http://")).unwrap_or(key);
    let (_, path) = rest.split_once('/').unwrap_or((rest, ""));
    // The addresses of APIs are names of registries.
    let path = ["v1", "v2"].iter().find_map(|version| path.strip_prefix(version).filter(|rest| rest.is_empty() || rest.starts_with('/')));
    let path = path.unwrap_or_else(|| rest.split_once('/').map_or("", |(_, path)| path)).trim_matches('/');
    let below = path.is_empty() || repository.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let exact = same(key, registry);
    (below && (exact || is_like(host(key), registry))).then_some(2 * path.len() + usize::from(exact))
}

/// Whether a host is like a pattern: as many parts, each like the other, and the same port.
fn is_like(pattern: &str, host: &str) -> bool {
    let split = |text: &str| text.rsplit_once(':').map_or((text.to_owned(), String::new()), |(host, port)| (host.into(), port.into()));
    let ((pattern, wanted_port), (host, port)) = (split(pattern), split(host));
    pattern.contains('*')
        && wanted_port == port
        && pattern.split('.').count() == host.split('.').count()
        && pattern.split('.').zip(host.split('.')).all(|(pattern, part)| part_is_like(pattern, part))
}

fn part_is_like(pattern: &str, part: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == part };
    let Some(mut rest) = part.strip_prefix(head) else { return false };
    let mut pieces: Vec<&str> = tail.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        // The earliest place leaves the most for those that follow.
        let Some((_, after)) = rest.split_once(piece) else { return false };
        rest = after;
    }
    rest.ends_with(last)
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
        let found = exact.or_else(|| auths.iter().find(|(key, _)| same(key, registry)).map(|(_, entry)| entry));
        found.map_or(Ok(None), |entry| Self::credential(entry, registry))
    }

    /// What the file holds for a repository when it is the content of a pull secret: keys may have a path that the repository begins
    /// with, and `*` within the parts of their host. Each comes with how closely its key fits; more is closer. Source: Kubernetes,
    /// "Images", "Interpretation of config.json".
    ///
    /// # Errors
    /// A sentence without any of the content.
    pub fn stored_for(&self, registry: &str, repository: &str) -> Result<Vec<(usize, Credential)>, String> {
        let auths = self.document.get("auths").and_then(Value::as_object);
        let fitting = auths.into_iter().flatten().filter_map(|(key, entry)| Some((fit(key, registry, repository)?, entry)));
        let mut found = Vec::new();
        for (fit, entry) in fitting {
            found.extend(Self::credential(entry, registry)?.map(|credential| (fit, credential)));
        }
        Ok(found)
    }

    /// The older form, which is only what stands under `auths`.
    ///
    /// # Errors
    /// A sentence without any of the content.
    pub fn parse_auths(bytes: &[u8]) -> Result<Self, String> {
        let auths = Self::parse(bytes)?.document;
        let mut document = Map::new();
        document.insert("auths".into(), Value::Object(auths));
        Ok(Self { document })
    }

    fn credential(entry: &Value, registry: &str) -> Result<Option<Credential>, String> {
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
    fn pull_secrets_name_paths_and_patterns() {
        let entry = |user: &str| json!({"username": user, "password": "p"});
        let auths = json!({"quay.io": entry("all"), "quay.io/team": entry("team"), "https://quay.io/v2/": entry("api"),
            "*.example.com": entry("any"), "a.example.com": entry("a"), "r*g.*.net:50": entry("star"), "docker.io": entry("hub"),
            "https://index.docker.io/v1/": entry("index"), "quay.io/teamwork": entry("no")});
        let bytes = auths.to_string().into_bytes();
        let config = DockerConfig::parse_auths(&bytes).expect("config");
        let known = |registry: &str, repository: &str| {
            let mut known = config.stored_for(registry, repository).expect("no fault");
            known.sort_by_key(|(fit, _)| std::cmp::Reverse(*fit));
            let user = |(_, credential)| match credential {
                Credential::Password { user, .. } => user,
                other => format!("{other:?}"),
            };
            known.into_iter().map(user).collect::<Vec<String>>()
        };
        assert_eq!(known("quay.io", "team/app"), ["team", "api", "all"]);
        assert_eq!(known("quay.io", "other/app"), ["api", "all"]);
        assert_eq!(known("a.example.com", "x"), ["a", "any"]);
        assert_eq!(known("b.a.example.com", "x").len() + known("example.com", "x").len() + known("reg.x.net", "x").len(), 0);
        assert_eq!(known("reg.x.net:50", "x"), ["star"]);
        assert_eq!(known("docker.io", "library/x"), ["hub", "index"]);
        let whole = json!({"auths": auths}).to_string().into_bytes();
        assert_eq!(DockerConfig::parse(&whole), Ok(config));
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
