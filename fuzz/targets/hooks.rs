//! A web hook is refused or read: only what is signed passes, and what it is about is what its body says.
#![no_main]

use ci::hook::{self, Refused};
use ring::hmac;
use serde_json::Value;

const SECRET: &str = "It's a Secret to Everybody";

libfuzzer_sys::fuzz_target!(|input: (u8, &str, &[u8])| {
    let (kind, header, body) = input;
    let names = [
        ("x-hub-signature-256", "x-github-delivery", ("x-github-event", "push")),
        ("x-gitlab-token", "x-gitlab-event-uuid", ("x-gitlab-event", "Push Hook")),
        ("x-wharf-signature-256", "x-wharf-delivery", ("", "")),
    ];
    let (signature, delivery, (event, push)) = names[usize::from(kind) % names.len()];
    let asked = |signed: &str| {
        let headers = [(signature, signed), (delivery, "1"), (event, push)];
        hook::check(|name| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value), body, SECRET)
    };
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), body);
    let right = if signature == "x-gitlab-token" { SECRET.to_owned() } else { format!("sha256={}", base::ids::hex(tag.as_ref())) };
    if !header.eq_ignore_ascii_case(&right) {
        assert_eq!(asked(header), Err(Refused::Wrong));
    }
    let value = serde_json::from_slice::<Value>(body).ok();
    let named = value.as_ref().and_then(|value| value.get("ref")?.as_str());
    match asked(&right) {
        Ok(found) => {
            let branch = named.expect("it has a ref").strip_prefix("refs/heads/");
            assert!(found.branch.is_none() || found.branch.as_deref() == branch);
        }
        Err(Refused::Body(_)) => assert!(named.is_none()),
        Err(other) => panic!("{other}"),
    }
    // A name that is none.
    let unnamed = hook::check(|name| if name == signature { Some(right.as_str()) } else { Some(header) }, body, SECRET);
    if let Ok(found) = unnamed {
        assert!(!found.id.is_empty() && found.id.len() <= 200 && found.id.bytes().all(|byte| byte.is_ascii_graphic()));
    }
});
