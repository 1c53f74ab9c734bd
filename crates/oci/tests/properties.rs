//! Whatever a registry says is read or refused, and nothing of it makes the reader fall over.

use oci::registry::challenge::{parse_challenges, parse_token};
use oci::registry::docker_config::{DockerConfig, parse_helper_reply};
use oci::registry::document::kind;
use oci::registry::link::next_page;
use oci::registry::{Credential, Secret};
use oci::{Index, Manifest};
use proptest::prelude::*;

/// Texts that look like what is read, broken anywhere.
fn odd(seeds: &'static [&'static str]) -> impl Strategy<Value = String> {
    let broken = (prop::sample::select(seeds), any::<prop::sample::Index>(), any::<prop::sample::Index>(), "\\PC{0,6}");
    let broken = broken.prop_map(|(seed, from, to, put)| {
        let chars: Vec<char> = seed.chars().collect();
        let (from, to) = (from.index(chars.len() + 1), to.index(chars.len() + 1));
        chars[..from.min(to)].iter().copied().chain(put.chars()).chain(chars[from.max(to)..].iter().copied()).collect()
    });
    prop_oneof![broken, ".{0,200}"]
}

const HEADERS: &[&str] = &[
    r#"Bearer realm="https://a.example/token",service="s",scope="repository:x/y:pull,push", Basic realm="q\"x""#,
    r#"</v2/_catalog?n=2&last=b>; rel="next", <x>; title="a,b"; rel=prev"#,
];
const DOCUMENTS: &[&str] = &[
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"a","digest":"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","size":3},"layers":[]}"#,
    r#"{"schemaVersion":2,"manifests":[{"mediaType":"a","digest":"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","size":3,"platform":{"os":"linux","architecture":"amd64"}}]}"#,
    r#"{"auths":{"h":{"auth":"bWU6cHc=","identitytoken":""}},"credHelpers":{"g":"x"},"credsStore":"y"}"#,
    r#"{"token":"abc","expires_in":1e300}"#,
    r#"{"ServerURL":"x","Username":"u","Secret":"s"}"#,
];

proptest! {
    #[test]
    fn any_header_is_read(header in odd(HEADERS)) {
        for challenge in parse_challenges(&header) {
            prop_assert!(challenge.parameters.len() <= 32 && !challenge.scheme.is_empty());
        }
        if let Some(next) = next_page(&header) {
            prop_assert!(header.contains(next));
        }
    }

    #[test]
    fn any_document_is_read(text in odd(DOCUMENTS), registry in odd(&["docker.io", "127.0.0.1:5000", "h"])) {
        let bytes = text.as_bytes();
        if let Ok(token) = parse_token(bytes) {
            prop_assert!((1..=86_400).contains(&token.seconds) && !token.token.reveal().is_empty());
        }
        let _ = (parse_helper_reply(bytes), kind(bytes, &registry), serde_json::from_slice::<Manifest>(bytes), serde_json::from_slice::<Index>(bytes));
        if let Ok(config) = DockerConfig::parse(bytes) {
            let _ = (config.stored(&registry), config.helper(&registry));
        }
    }

    #[test]
    fn what_is_quoted_is_read_back(value in "\\PC{0,60}", name in "[a-z]{1,8}") {
        let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
        let read = parse_challenges(&format!("Basic {name}=\"{quoted}\", Other x=y"));
        prop_assert_eq!(read.len(), 2);
        prop_assert_eq!(&read[0].parameters[&name], &value);
    }

    #[test]
    fn what_is_stored_is_found(user in "[^:\\x00]{1,20}", password in "[^\\x00]{1,40}", others in odd(DOCUMENTS)) {
        let mut config = DockerConfig::parse(others.as_bytes()).unwrap_or_default();
        let credential = Credential::Password { user, password: Secret::new(password) };
        config.store("registry.example:5000", Some(&credential));
        let again = DockerConfig::parse(&config.to_bytes().expect("bytes")).expect("read");
        prop_assert_eq!(again.stored("registry.example:5000"), Ok(Some(credential)));
    }
}
