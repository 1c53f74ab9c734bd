//! Manifests (distribution spec, end-3, end-7 and end-9).

use crate::client::{IMAGE, INDEX, Server, digest, image, index};
use registry::digest::{Algorithm, Digest};

#[test]
fn a_manifest_is_kept_as_it_came() {
    let server = Server::new();
    let mut client = server.client();
    let config = client.push("a", b"{}");
    let mut manifest = image(&[(&config, 2)], r#","annotations":{"x":"y"},"custom":[1, 2]"#);
    manifest.extend_from_slice(b"\n  \n");
    let put = client.put("a", "v1", &manifest).expect(201);
    let named = digest(&manifest);
    assert_eq!((put.header("docker-content-digest"), put.header("location")), (&*named, &*format!("/v2/a/manifests/{named}")));
    for reference in ["v1", &named] {
        let got = client.ask("GET", &format!("/v2/a/manifests/{reference}")).expect(200);
        assert_eq!((got.header("content-type"), got.header("docker-content-digest")), (IMAGE, &*named));
        assert_eq!(got.body, manifest);
        let head = client.ask("HEAD", &format!("/v2/a/manifests/{reference}")).expect(200);
        assert_eq!(head.header("content-length"), manifest.len().to_string());
        assert_eq!((head.header("content-type"), head.header("docker-content-digest")), (IMAGE, &*named));
    }
    let known = format!("\"{named}\"");
    assert_eq!(client.send("GET", "/v2/a/manifests/v1", &[("If-None-Match", &known)], b"").status, 304);
}

#[test]
fn media_types_are_those_of_the_push() {
    let server = Server::new();
    let mut client = server.client();
    for kind in [
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.artifact.manifest.v1+json",
        INDEX,
    ] {
        let manifest = format!(r#"{{"schemaVersion":2,"mediaType":"{kind}"}}"#);
        client.put("a", "v1", manifest.as_bytes()).expect(201);
        assert_eq!(client.ask("GET", "/v2/a/manifests/v1").header("content-type"), kind);
    }
}

#[test]
fn what_is_no_manifest_is_refused() {
    let server = Server::new();
    let mut client = server.client();
    let mut put = |kind: &str, body: &[u8]| client.send("PUT", "/v2/a/manifests/v1", &[("Content-Type", kind)], body).refusal();
    let invalid = (400, "MANIFEST_INVALID".to_owned());
    for body in ["", "[]", "{", "null", r#"{"schemaVersion":1}"#, r#"{"layers":1}"#, r#"{"config":{"digest":"x","size":1}}"#] {
        assert_eq!(put(IMAGE, body.as_bytes()), invalid, "{body}");
    }
    assert_eq!(put(INDEX, &image(&[(&digest(b"{}"), 2)], "")), invalid, "another type than it says itself");
    for kind in ["text/html", "application/vnd.docker.distribution.manifest.v1+prettyjws"] {
        assert_eq!(put(kind, b"{}"), invalid, "{kind}");
    }
}

#[test]
fn names_of_manifests_that_are_none_are_refused() {
    let server = Server::new();
    let mut client = server.client();
    let manifest = br#"{"schemaVersion":2}"#;
    assert_eq!(client.put("a", "-x", manifest).refusal(), (400, "MANIFEST_INVALID".into()));
    assert_eq!(client.put("a", &"x".repeat(129), manifest).refusal(), (400, "MANIFEST_INVALID".into()));
    assert_eq!(client.put("a", "sha256:baddigeststring", manifest).refusal(), (400, "DIGEST_INVALID".into()));
    assert_eq!(client.put("a", "sha256:baddigeststring", manifest).refusal().0, 400);
    assert_eq!(client.put("A", "v1", manifest).refusal(), (400, "NAME_INVALID".into()));
    client.put("a", &"x".repeat(128), manifest).expect(201);
}

#[test]
fn a_push_by_digest_is_checked() {
    let server = Server::new();
    let mut client = server.client();
    let manifest = br#"{"schemaVersion":2}"#;
    assert_eq!(client.put("a", &digest(b"other"), manifest).refusal(), (400, "DIGEST_INVALID".into()));
    client.put("a", &digest(manifest), manifest).expect(201);
    let long = Digest::of(Algorithm::Sha512, manifest).to_string();
    assert_eq!(client.put("a", &long, manifest).expect(201).header("docker-content-digest"), long);
    assert_eq!(client.ask("GET", &format!("/v2/a/manifests/{long}")).expect(200).body, manifest);
}

#[test]
fn a_push_by_digest_may_set_tags() {
    let server = Server::new();
    let mut client = server.client();
    let manifest = br#"{"schemaVersion":2}"#;
    let path = format!("{}?tag=1.2.3&tag=1.2&tag=latest", digest(manifest));
    assert_eq!(client.put("a", &path, manifest).expect(201).header("oci-tag"), "1.2.3");
    assert_eq!(client.ask("GET", "/v2/a/tags/list").json()["tags"], serde_json::json!(["1.2", "1.2.3", "latest"]));
    assert_eq!(client.put("a", &format!("{}?tag=-", digest(manifest)), manifest).status, 400);
    let many: String = (0..101).map(|number| format!("&tag=t{number}")).collect();
    assert_eq!(client.put("a", &format!("{}?x{many}", digest(manifest)), manifest).status, 414);
}

#[test]
fn blobs_that_are_named_must_be_there() {
    let server = Server::new();
    let mut client = server.client();
    let config = client.push("a", b"{}");
    client.push("b", b"layer");
    let manifest = image(&[(&config, 2), (&digest(b"layer"), 5)], "");
    let refused = client.put("a", "v1", &manifest);
    assert_eq!(refused.refusal(), (404, "MANIFEST_BLOB_UNKNOWN".into()));
    assert_eq!(refused.json()["errors"][0]["detail"]["digests"], serde_json::json!([digest(b"layer")]));
    assert_eq!(client.ask("GET", "/v2/a/manifests/v1").status, 404);
    client.push("a", b"layer");
    client.put("a", "v1", &manifest).expect(201);
}

#[test]
fn layers_that_are_kept_elsewhere_need_not_be_there() {
    let server = Server::new();
    let mut client = server.client();
    let config = client.push("a", b"{}");
    let manifest = String::from_utf8(image(&[(&config, 2), (&digest(b"foreign"), 7)], "")).expect("text");
    let foreign = manifest.replace(
        r#""layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar""#,
        r#""layers":[{"mediaType":"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip""#,
    );
    assert_ne!(manifest, foreign);
    client.put("a", "v1", foreign.as_bytes()).expect(201);
}

#[test]
fn manifests_of_an_index_must_be_there() {
    let server = Server::new();
    let mut client = server.client();
    let one = client.push_image("a", "one", b"1");
    client.put("a", "all", &index(&[&one], "")).expect(201);
    let unknown = index(&[&one, &digest(b"none")], "");
    assert_eq!(client.put("a", "all", &unknown).refusal(), (404, "MANIFEST_BLOB_UNKNOWN".into()));
}

#[test]
fn a_manifest_is_at_most_so_large() {
    let server = Server::new();
    let mut client = server.client();
    let filled = |size: usize| {
        let empty = format!(r#"{{"schemaVersion":2,"annotations":{{"x":"{}"}}}}"#, "");
        format!(r#"{{"schemaVersion":2,"annotations":{{"x":"{}"}}}}"#, "y".repeat(size - empty.len())).into_bytes()
    };
    let largest = filled(4 << 20);
    client.put("a", "v1", &largest).expect(201);
    assert!(client.ask("GET", "/v2/a/manifests/v1").expect(200).body == largest);
    assert_eq!(client.put("a", "v1", &filled((4 << 20) + 1)).refusal(), (413, "SIZE_INVALID".into()));
    let mut chunked = b"400001\r\n".to_vec();
    chunked.extend_from_slice(&filled((4 << 20) + 1));
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    let headers = [("Content-Type", IMAGE), ("Transfer-Encoding", "chunked")];
    assert_eq!(client.send("PUT", "/v2/a/manifests/v1", &headers, &chunked).refusal(), (413, "SIZE_INVALID".into()));
}

#[test]
fn manifests_that_are_not_there_are_unknown() {
    let server = Server::new();
    let mut client = server.client();
    for method in ["GET", "DELETE"] {
        assert_eq!(client.ask(method, "/v2/a/manifests/v1").refusal(), (404, "NAME_UNKNOWN".into()), "{method}");
    }
    client.push("a", b"x");
    for reference in ["v1", &digest(b"none")] {
        for method in ["GET", "DELETE"] {
            let answer = client.ask(method, &format!("/v2/a/manifests/{reference}"));
            assert_eq!(answer.refusal(), (404, "MANIFEST_UNKNOWN".into()), "{method} {reference}");
        }
        assert_eq!(client.ask("HEAD", &format!("/v2/a/manifests/{reference}")).status, 404);
    }
}

#[test]
fn a_tag_is_moved_and_removed() {
    let server = Server::new();
    let mut client = server.client();
    let (one, two) = (client.push_image("a", "v", b"1"), client.push_image("a", "v", b"2"));
    assert_eq!(client.ask("GET", "/v2/a/manifests/v").header("docker-content-digest"), two);
    client.ask("DELETE", "/v2/a/manifests/v").expect(202);
    assert_eq!(client.ask("GET", "/v2/a/manifests/v").status, 404);
    for named in [&one, &two] {
        assert_eq!(client.ask("GET", &format!("/v2/a/manifests/{named}")).status, 200, "its manifest stays");
    }
}

#[test]
fn a_manifest_goes_with_its_tags() {
    let server = Server::new();
    let mut client = server.client();
    let one = client.push_image("a", "v1", b"1");
    client.push_image("a", "latest", b"1");
    client.push_image("a", "v2", b"2");
    client.ask("DELETE", &format!("/v2/a/manifests/{one}")).expect(202);
    for gone in ["v1", "latest", &one] {
        assert_eq!(client.ask("GET", &format!("/v2/a/manifests/{gone}")).status, 404, "{gone}");
    }
    assert_eq!(client.ask("GET", "/v2/a/tags/list").json()["tags"], serde_json::json!(["v2"]));
}

#[test]
fn all_of_it_stands_after_a_restart() {
    let server = Server::new();
    let mut client = server.client();
    let one = client.push_image("a/b", "v1", b"1");
    client.push_image("a/b", "v2", &vec![2; 100_000]);
    client.push_image("c", "v1", b"3");
    client.ask("DELETE", "/v2/c/manifests/v1").expect(202);
    let folder = server.stop();
    let server = Server::on(folder, registry::Options::default());
    let mut client = server.client();
    assert_eq!(client.ask("GET", "/v2/a/b/manifests/v1").header("docker-content-digest"), one);
    assert_eq!(client.ask("GET", "/v2/a/b/tags/list").json()["tags"], serde_json::json!(["v1", "v2"]));
    assert_eq!(client.ask("GET", &format!("/v2/a/b/blobs/{}", digest(&vec![2; 100_000]))).body.len(), 100_000);
    assert_eq!(client.ask("GET", "/v2/c/manifests/v1").refusal().1, "MANIFEST_UNKNOWN");
    assert_eq!(client.ask("GET", "/v2/_catalog").json()["repositories"], serde_json::json!(["a/b", "c"]));
}
