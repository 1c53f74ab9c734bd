//! Signatures beside those of botocore, tokens as a cluster's authenticator reads them, and what must be in no message.

use crate::fake::{Fake, REGION, SECRET};
use crate::place::{FIRST, Listener, declared, make, provider, run};
use crate::sigv4::{Signed, signature};
use base::{Clock, Timestamp};
use base64::Engine;
use infra::aws::{Credentials, Request, Scope, Secret, presign, sign};
use infra::provider::Declared;
use net::client::Url;
use serde_json::Value;
use std::time::Duration;

/// Made with botocore (`signed` is its word), for requests such as we send.
const VECTORS: &str = include_str!("fixtures/botocore.json");

#[test]
fn signatures_are_those_of_botocore() {
    let vectors: Value = serde_json::from_str(VECTORS).expect("json");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let time = Timestamp::parse_rfc3339(&text(&vectors["time"])).expect("time");
    let cases = vectors["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 12);
    for case in cases {
        let url = Url::parse(&text(&case["url"])).expect("url");
        let headers = case["headers"].as_array().expect("headers").iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
        let method = text(&case["method"]).parse().expect("method");
        let mut request = Request { method, url, headers, body: text(&case["body"]).into_bytes() };
        let session = case["token"].as_str().map(Secret::new);
        let credentials =
            Credentials { access_key: text(&vectors["access_key"]), secret: Secret::new(text(&vectors["secret"])), session, expires: None };
        let (region, service) = (text(&case["region"]), text(&case["service"]));
        let scope = Scope { region: &region, service: &service, time };
        if let Some(lasts) = case["presign"].as_u64() {
            let ours = presign(&request, &credentials, &scope, Duration::from_secs(lasts)).expect("signed");
            assert_eq!(pairs(&ours), pairs(&text(&case["signed"])), "{case}");
        } else {
            sign(&mut request, &credentials, &scope).expect("signed");
            let ours = request.headers.iter().find(|(name, _)| name == "authorization").map(|(_, value)| value.clone());
            assert_eq!(ours.as_deref(), case["signed"].as_str(), "{case}");
        }
    }
}

/// A query's pairs, decoded, whatever their order.
fn pairs(url: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let query = url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let mut pairs: Vec<_> =
        query.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (decoded(name), decoded(value))).collect();
    pairs.sort();
    pairs
}

#[test]
fn a_token_is_a_signed_question_who_we_are() {
    let fake = Fake::new();
    let (token, expires) = run(provider(&fake, FIRST).token("jobs")).expect("token");
    assert_eq!(format!("{token:?}"), "***");
    let encoded = token.reveal().strip_prefix("k8s-aws-v1.").expect("prefix");
    let address = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(encoded).expect("base64");
    let address = String::from_utf8(address).expect("text");
    assert!(address.starts_with("https://sts.eu-central-1.amazonaws.com/?"), "{address}");
    let mut query = pairs(&address);
    let at = query.iter().position(|(name, _)| name == "X-Amz-Signature").expect("signed");
    let (_, given) = query.remove(at);
    let of = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default();
    assert_eq!(
        (of("Action").as_str(), of("X-Amz-Expires").as_str(), of("X-Amz-SignedHeaders").as_str()),
        ("GetCallerIdentity", "60", "host;x-k8s-aws-id")
    );
    let headers = vec![("host".to_owned(), "sts.eu-central-1.amazonaws.com".to_owned()), ("x-k8s-aws-id".to_owned(), "jobs".to_owned())];
    let time = of("X-Amz-Date");
    let signed = Signed {
        method: "GET",
        path: "/",
        query: query.clone(),
        headers,
        body: b"",
        time: &time,
        region: REGION,
        service: "sts",
        secret: SECRET,
    };
    assert_eq!(signature(&signed), given);
    assert_eq!(expires.since(fake.time.now()), Duration::from_secs(14 * 60));
    for name in ["", "a/b", "a\nb"] {
        assert!(run(provider(&fake, FIRST).token(name)).is_err(), "{name}");
    }
}

#[test]
fn secrets_reach_the_cloud_and_nothing_else() {
    const HIDDEN: &str = "hunter2-correct-horse";
    let template = FIRST.replacen('{', r#"{"Parameters": {"Password": {"Type": "String", "NoEcho": true}}, "#, 1);
    let (fake, listener) = (Fake::new(), Listener::default());
    let wish = |secret: &str| Declared { secrets: [("Password".to_owned(), Secret::new(secret))].into(), ..declared(&template) };
    run(async {
        let provider = make(&fake, wish(HIDDEN)).expect("provider");
        assert!(provider.check().is_empty(), "{:?}", provider.check());
        let plan = provider.plan(&listener).await.expect("plan");
        let other = make(&fake, wish("another")).expect("provider").plan(&listener).await.expect("plan");
        assert_ne!(plan.change_set, other.change_set, "what was made with another secret is not taken for the same");
        let text = serde_json::to_string(&other.into_file()).expect("json");
        for hidden in [HIDDEN, "another", SECRET] {
            assert!(!text.contains(hidden) && fake.with(|state| state.tokens.iter().all(|token| !token.contains(hidden))), "{hidden}");
        }
    });
    assert!(!format!("{:?}", wish(HIDDEN)).contains(HIDDEN));
}
