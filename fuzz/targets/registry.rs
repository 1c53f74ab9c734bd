//! Whatever a registry, a token server, a credential helper or docker's file says is read or refused.
#![no_main]

use oci::registry::challenge::{parse_challenges, parse_token};
use oci::registry::docker_config::{DockerConfig, parse_helper_reply};
use oci::registry::document::kind;
use oci::registry::link::next_page;
use oci::{ImageConfig, Index, Manifest, Reference};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = (parse_token(bytes), parse_helper_reply(bytes), ImageConfig::parse(bytes));
    if kind(bytes, "").is_ok() {
        let _ = (serde_json::from_slice::<Manifest>(bytes), serde_json::from_slice::<Index>(bytes));
    }
    if let Ok(mut config) = DockerConfig::parse(bytes) {
        for registry in ["docker.io", "h", "127.0.0.1:5000"] {
            let _ = (config.stored(registry), config.helper(registry));
            config.forget(registry);
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert!(parse_challenges(text).iter().all(|challenge| challenge.parameters.len() <= 32));
        let _ = (next_page(text), text.parse::<Reference>());
    }
});
