//! Lists of tags, repositories and referrers (distribution spec, end-8 and end-12).

use crate::client::{Client, INDEX, Server, digest, image, index};
use serde_json::{Value, json};

fn next(client: &mut Client, link: &str) -> Option<crate::client::Answer> {
    let path = link.strip_prefix('<')?.strip_suffix(">; rel=\"next\"")?;
    Some(client.ask("GET", path).expect(200))
}

#[test]
fn tags_are_listed_in_order_and_by_pages() {
    let server = Server::new();
    let mut client = server.client();
    for tag in ["b", "a", "Z", "c", "1"] {
        client.put("a", tag, br#"{"schemaVersion":2}"#).expect(201);
    }
    let all = client.ask("GET", "/v2/a/tags/list").expect(200);
    assert_eq!(all.json(), json!({"name": "a", "tags": ["1", "Z", "a", "b", "c"]}));
    assert_eq!(all.find("link"), None);
    let first = client.ask("GET", "/v2/a/tags/list?n=2").expect(200);
    assert_eq!(first.json()["tags"], json!(["1", "Z"]));
    let second = next(&mut client, first.header("link")).expect("more");
    assert_eq!(second.json()["tags"], json!(["a", "b"]));
    let third = next(&mut client, second.header("link")).expect("more");
    assert_eq!((third.json()["tags"].clone(), third.find("link")), (json!(["c"]), None));
    for (query, expected) in
        [("?n=0", json!([])), ("?last=b", json!(["c"])), ("?n=9&last=Y", json!(["Z", "a", "b", "c"])), ("?last=c", json!([]))]
    {
        let page = client.ask("GET", &format!("/v2/a/tags/list{query}")).expect(200);
        assert_eq!((page.json()["tags"].clone(), page.find("link")), (expected, None), "{query}");
    }
}

#[test]
fn tags_of_nothing_are_unknown() {
    let server = Server::new();
    let mut client = server.client();
    assert_eq!(client.ask("GET", "/v2/a/tags/list").refusal(), (404, "NAME_UNKNOWN".into()));
    client.push("a", b"x");
    assert_eq!(client.ask("GET", "/v2/a/tags/list").expect(200).json()["tags"], json!([]));
    assert_eq!(client.ask("GET", "/v2/a/tags/list?n=x").refusal().0, 400);
    assert_eq!(client.ask("GET", "/v2/a/tags/list?n=-1").refusal().0, 400);
    assert_eq!(client.ask("GET", "/v2/A/tags/list").refusal(), (400, "NAME_INVALID".into()));
}

#[test]
fn repositories_are_listed_by_pages() {
    let server = Server::new();
    let mut client = server.client();
    assert_eq!(client.ask("GET", "/v2/_catalog").expect(200).json(), json!({"repositories": []}));
    for name in ["c", "a/b", "a"] {
        client.push(name, b"x");
    }
    let first = client.ask("GET", "/v2/_catalog?n=2").expect(200);
    assert_eq!(first.json()["repositories"], json!(["a", "a/b"]));
    let second = next(&mut client, first.header("link")).expect("more");
    assert_eq!((second.json()["repositories"].clone(), second.find("link")), (json!(["c"]), None));
}

fn referrer(client: &mut Client, subject: &str, more: &str) -> String {
    let config = client.push("a", b"{}");
    let more = format!(r#","subject":{{"mediaType":"x","digest":"{subject}","size":1}}{more}"#);
    let manifest = image(&[(&config, 2)], &more);
    let put = client.put("a", &digest(&manifest), &manifest).expect(201);
    assert_eq!(put.header("oci-subject"), subject);
    digest(&manifest)
}

#[test]
fn referrers_are_listed_as_they_describe_themselves() {
    let server = Server::new();
    let mut client = server.client();
    let subject = digest(b"not pushed yet");
    let path = format!("/v2/a/referrers/{subject}");
    let none = client.ask("GET", &path).expect(200);
    assert_eq!(none.header("content-type"), INDEX);
    assert_eq!(none.json(), json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}));
    let plain = referrer(&mut client, &subject, "");
    let typed = referrer(&mut client, &subject, r#","artifactType":"application/x+json","annotations":{"a":"b"}"#);
    let list = index(&[], &format!(r#","subject":{{"digest":"{subject}","size":1}}"#));
    client.put("a", "list", &list).expect(201);
    let found = client.ask("GET", &path).expect(200).json();
    let by_digest = |named: &str| {
        let all = found["manifests"].as_array().expect("list");
        all.iter().find(|it| it["digest"] == *named).cloned().unwrap_or(Value::Null)
    };
    assert_eq!(found["manifests"].as_array().map(Vec::len), Some(3));
    assert_eq!(by_digest(&plain)["artifactType"], "application/vnd.oci.image.layer.v1.tar", "its configuration's type");
    assert_eq!(by_digest(&typed)["artifactType"], "application/x+json");
    assert_eq!(by_digest(&typed)["annotations"], json!({"a": "b"}));
    assert_eq!(by_digest(&digest(&list)), json!({"mediaType": INDEX, "digest": digest(&list), "size": list.len()}));
    let filtered = client.ask("GET", &format!("{path}?artifactType=application/x+json")).expect(200);
    assert_eq!(filtered.header("oci-filters-applied"), "artifactType");
    assert_eq!(filtered.json()["manifests"].as_array().map(Vec::len), Some(1));
    let escaped = client.ask("GET", &format!("{path}?artifactType=application%2Fx%2Bjson")).expect(200);
    assert_eq!(escaped.json(), filtered.json());
    client.ask("DELETE", &format!("/v2/a/manifests/{typed}")).expect(202);
    assert_eq!(client.ask("GET", &path).json()["manifests"].as_array().map(Vec::len), Some(2));
}

#[test]
fn referrers_of_what_is_no_digest_are_refused() {
    let server = Server::new();
    let mut client = server.client();
    assert_eq!(client.ask("GET", "/v2/a/referrers/sha256:x").refusal(), (400, "DIGEST_INVALID".into()));
    assert_eq!(client.ask("GET", "/v2/A/referrers/sha256:x").refusal(), (400, "NAME_INVALID".into()));
}

#[test]
fn many_referrers_come_in_pages() {
    let server = Server::new();
    let mut client = server.client();
    let subject = digest(b"subject");
    let large = "x".repeat(1 << 20);
    for number in 0..5 {
        referrer(&mut client, &subject, &format!(r#","annotations":{{"n":"{number}","x":"{large}"}}"#));
    }
    let mut answer = client.ask("GET", &format!("/v2/a/referrers/{subject}")).expect(200);
    let mut found = Vec::new();
    let mut pages = 1;
    loop {
        assert!(answer.body.len() < 4 << 20);
        found.extend(answer.json()["manifests"].as_array().into_iter().flatten().map(|it| it["digest"].to_string()));
        let Some(more) = next(&mut client, answer.header("link")) else { break };
        answer = more;
        pages += 1;
    }
    found.sort();
    found.dedup();
    assert_eq!((found.len(), pages), (5, 3));
}
