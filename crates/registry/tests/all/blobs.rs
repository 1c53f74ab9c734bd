//! Pulling, checking and removing blobs (distribution spec, end-2 and end-10).

use crate::client::{Server, digest, image};

#[test]
fn a_blob_is_pulled_whole() {
    let server = Server::new();
    let mut client = server.client();
    for length in [0, 1, 2048, 64 << 10, (64 << 10) + 1, 3_000_000] {
        let content: Vec<u8> = (0..length).map(|at| (at * 7 % 251) as u8).collect();
        let named = client.push("a/b", &content);
        let answer = client.ask("GET", &format!("/v2/a/b/blobs/{named}")).expect(200);
        assert!(answer.body == content, "{length}");
        assert_eq!(answer.header("docker-content-digest"), named);
        assert_eq!(answer.header("content-length"), length.to_string());
        assert_eq!(answer.header("content-type"), "application/octet-stream");
    }
}

#[test]
fn a_blob_is_checked_without_being_pulled() {
    let server = Server::new();
    let mut client = server.client();
    let named = client.push("a", &vec![5; 100_000]);
    let answer = client.ask("HEAD", &format!("/v2/a/blobs/{named}")).expect(200);
    assert_eq!((answer.header("content-length"), answer.header("docker-content-digest")), ("100000", &*named));
    assert_eq!(client.ask("HEAD", &format!("/v2/b/blobs/{named}")).status, 404);
}

#[test]
fn a_blob_of_another_repository_is_unknown() {
    let server = Server::new();
    let mut client = server.client();
    let named = client.push("a", b"mine");
    for path in [format!("/v2/b/blobs/{named}"), format!("/v2/a/blobs/{}", digest(b"never pushed"))] {
        assert_eq!(client.ask("GET", &path).refusal(), (404, "BLOB_UNKNOWN".into()));
        assert_eq!(client.ask("DELETE", &path).status, 404);
    }
}

#[test]
fn digests_that_are_none_are_invalid() {
    let server = Server::new();
    let mut client = server.client();
    for (wrong, method) in [("sha256:12", "GET"), ("md5:d41d8cd98f00b204e9800998ecf8427e", "GET"), ("sha256:zz", "HEAD"), ("x:y", "DELETE")]
    {
        let answer = client.ask(method, &format!("/v2/a/blobs/{wrong}"));
        assert_eq!(answer.status, 400, "{wrong}");
        if method != "HEAD" {
            assert_eq!(answer.refusal().1, "DIGEST_INVALID", "{wrong}");
        }
    }
}

#[test]
fn parts_of_small_and_large_blobs_are_pulled() {
    let server = Server::new();
    let mut client = server.client();
    for size in [1000_usize, 2_000_000] {
        let content: Vec<u8> = (0..size).map(|at| (at % 253) as u8).collect();
        let path = format!("/v2/a/blobs/{}", client.push("a", &content));
        for (range, first, last) in
            [("bytes=0-0", 0, 0), ("bytes=10-", 10, size - 1), ("bytes=-7", size - 7, size - 1), ("bytes=5-99999999", 5, size - 1)]
        {
            let answer = client.send("GET", &path, &[("Range", range)], b"").expect(206);
            assert!(answer.body == content[first..=last], "{range}");
            assert_eq!(answer.header("content-range"), format!("bytes {first}-{last}/{size}"));
        }
        let beyond = client.send("GET", &path, &[("Range", &format!("bytes={size}-"))], b"");
        assert_eq!((beyond.status, beyond.header("content-range")), (416, &*format!("bytes */{size}")));
        // Not understood, or of another content: all of it.
        for (name, value) in [("Range", "bytes=3-1"), ("Range", "bytes=0-1,5-6"), ("Range", "rows=1-2")] {
            assert_eq!(client.send("GET", &path, &[(name, value)], b"").expect(200).body.len(), size);
        }
        let other = client.send("GET", &path, &[("Range", "bytes=0-0"), ("If-Range", "\"other\"")], b"").expect(200);
        assert_eq!(other.body.len(), size);
        let same = format!("\"{}\"", digest(&content));
        assert_eq!(client.send("GET", &path, &[("Range", "bytes=0-0"), ("If-Range", &same)], b"").status, 206);
    }
}

#[test]
fn what_the_client_has_is_not_sent_again() {
    let server = Server::new();
    let mut client = server.client();
    let named = client.push("a", b"content");
    let path = format!("/v2/a/blobs/{named}");
    let tag = client.ask("GET", &path).header("etag").to_owned();
    for known in [&*tag, "*", &format!("\"x\", {tag}")] {
        assert_eq!(client.send("GET", &path, &[("If-None-Match", known)], b"").status, 304, "{known}");
    }
    assert_eq!(client.send("GET", &path, &[("If-None-Match", "\"x\"")], b"").status, 200);
}

#[test]
fn a_blob_is_removed_at_once_and_from_one_repository() {
    let server = Server::new();
    let mut client = server.client();
    for content in [b"small".to_vec(), vec![9; 200_000]] {
        let named = client.push("a", &content);
        client.push("b", &content);
        client.ask("DELETE", &format!("/v2/a/blobs/{named}")).expect(202);
        assert_eq!(client.ask("GET", &format!("/v2/a/blobs/{named}")).status, 404);
        assert_eq!(client.ask("DELETE", &format!("/v2/a/blobs/{named}")).status, 404);
        assert_eq!(client.ask("GET", &format!("/v2/b/blobs/{named}")).expect(200).body, content);
        client.ask("DELETE", &format!("/v2/b/blobs/{named}")).expect(202);
        client.push("a", &content);
        assert_eq!(client.ask("GET", &format!("/v2/a/blobs/{named}")).expect(200).body, content);
    }
    let left = std::fs::read_dir(server.folder.0.join("files")).expect("listed").count();
    assert_eq!(left, 1, "files of contents that nobody has are gone");
}

#[test]
fn a_blob_that_a_manifest_needs_is_not_removed() {
    let server = Server::new();
    let mut client = server.client();
    let config = client.push("a", b"{}");
    let manifest = image(&[(&config, 2)], "");
    client.put("a", "v1", &manifest).expect(201);
    let path = format!("/v2/a/blobs/{config}");
    assert_eq!(client.ask("DELETE", &path).refusal(), (405, "UNSUPPORTED".into()));
    client.ask("DELETE", &format!("/v2/a/manifests/{}", digest(&manifest))).expect(202);
    client.ask("DELETE", &path).expect(202);
}

#[test]
fn other_methods_are_refused_by_name() {
    let server = Server::new();
    let mut client = server.client();
    let named = digest(b"");
    for (path, allowed) in [
        ("/v2/".to_owned(), "GET, HEAD"),
        ("/v2/_catalog".to_owned(), "GET, HEAD"),
        ("/v2/a/tags/list".to_owned(), "GET, HEAD"),
        (format!("/v2/a/referrers/{named}"), "GET, HEAD"),
        (format!("/v2/a/blobs/{named}"), "GET, HEAD, DELETE"),
        ("/v2/a/blobs/uploads/".to_owned(), "POST"),
        ("/v2/a/blobs/uploads/0".to_owned(), "GET, PATCH, PUT, DELETE"),
        ("/v2/a/manifests/v1".to_owned(), "GET, HEAD, PUT, DELETE"),
    ] {
        let answer = client.ask("OPTIONS", &path);
        assert_eq!(answer.header("allow"), allowed, "{path}");
        assert_eq!(answer.refusal(), (405, "UNSUPPORTED".into()));
    }
    assert_eq!(client.ask("GET", "/v2/a/none").status, 404);
    assert_eq!(client.ask("GET", "/other").status, 404);
    let base = client.ask("GET", "/v2/").expect(200);
    assert_eq!(base.header("docker-distribution-api-version"), "registry/2.0");
}
