//! Rights at registries: tokens that end, and secrets that nobody else sees and no message shows.

#[path = "support/fake.rs"]
mod fake;
#[path = "support/home.rs"]
mod home;
#[path = "support/registry.rs"]
mod registry;
#[path = "support/samples.rs"]
mod samples;

use blobs::BlobError;
use blobs::remote::{Credential, Credentials, RemoteError, RemoteOptions, Secret};
use fake::{Answer, Asked, Fake};
use home::Home;
use samples::{options, pull_with, sample};
use std::sync::Arc;

struct Known(Credential);

impl Credentials for Known {
    fn of(&self, _: &str) -> Result<Option<Credential>, BlobError> {
        Ok(Some(self.0.clone()))
    }
}

const PASSWORD: &str = "hunter2-the-password";
const TOKEN: &str = "eyJ-the-token";

fn known() -> RemoteOptions {
    let credential = Credential::Password { user: "me".into(), password: Secret::new(PASSWORD) };
    RemoteOptions { credentials: Arc::new(Known(credential)), ..options() }
}

fn challenge(asked: &Asked) -> Answer {
    let host = &asked.headers["host"];
    Answer::new(401).header("WWW-Authenticate", format!(r#"Bearer realm="http://{host}/token",service="reg",scope="repository:x:pull""#))
}

#[test]
fn tokens_are_asked_for_once_and_again_when_they_end() {
    let (home, held) = (Home::new(), sample());
    let fake = Fake::start(move |asked, log| {
        if asked.path.starts_with("/token") {
            let basic = base64(&format!("me:{PASSWORD}"));
            assert_eq!(asked.headers.get("authorization"), Some(&format!("Basic {basic}")));
            assert!(asked.path.contains("service=reg&scope=repository:x:pull"), "{}", asked.path);
            let at = log.iter().filter(|one| one.path.starts_with("/token")).count();
            return Answer::new(200).body(format!(r#"{{"token":"{TOKEN}{at}","expires_in":600}}"#));
        }
        // The first token is taken back after the manifest.
        let valid = if asked.path.contains("/manifests/") { format!("Bearer {TOKEN}1") } else { format!("Bearer {TOKEN}2") };
        if asked.path == "/v2/" {
            Answer::new(200)
        } else if asked.headers.get("authorization") == Some(&valid) {
            held.answer(asked)
        } else {
            challenge(asked)
        }
    });
    pull_with(known(), &home.store(), &fake.name("x:1")).expect("pulled");
    assert_eq!(fake.count("GET", "/token"), 2, "{:?}", fake.log());
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

#[test]
fn who_we_are_is_told_to_nobody_else_and_stands_in_no_message() {
    let (home, held) = (Home::new(), sample());
    let given = held.clone();
    let storage =
        Fake::start(move |asked, _| if asked.headers.contains_key("authorization") { Answer::new(400) } else { given.answer(asked) });
    let port = storage.port;
    let given = held.clone();
    let fake = Fake::start(move |asked, _| {
        let basic = format!("Basic {}", base64(&format!("me:{PASSWORD}")));
        match asked.headers.get("authorization") {
            None if asked.path != "/v2/" => Answer::new(401).header("WWW-Authenticate", "Basic realm=x"),
            Some(sent) if *sent != basic => Answer::new(403),
            _ if given.is_layer(asked) => Answer::new(307).header("Location", format!("http://localhost:{port}{}?signature=s", asked.path)),
            _ => given.answer(asked),
        }
    });
    pull_with(known(), &home.store(), &fake.name("x:1")).expect("pulled");
    assert!(storage.log().iter().all(|asked| !asked.headers.contains_key("authorization")) && !storage.log().is_empty());
    let refusing = |status: u16| {
        move |asked: &Asked, _: &fake::Log| match asked.path.as_str() {
            "/v2/" => Answer::new(200),
            path if path.starts_with("/token") => Answer::new(status).body(format!(r#"{{"token":"{TOKEN}"}}"#)),
            _ => challenge(asked),
        }
    };
    for status in [200, 401, 403, 500] {
        let fake = Fake::start(refusing(status));
        let error = pull_with(RemoteOptions { retries: 0, ..known() }, &Home::new().store(), &fake.name("x:1")).expect_err("refused");
        for text in [error.to_string(), format!("{error:?}"), format!("{:#?}", error.hint())] {
            for secret in [PASSWORD, TOKEN, &base64(&format!("me:{PASSWORD}"))] {
                assert!(!text.contains(secret), "{text}");
            }
        }
        assert!(status != 403 || matches!(error, RemoteError::Login { .. }), "{error}");
    }
}
