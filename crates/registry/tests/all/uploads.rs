//! Pushing blobs (distribution spec, end-4 to end-6, end-11, end-13, end-14).

use crate::client::{Client, Server, digest};
use registry::digest::{Algorithm, Digest};
use std::io::Write;

fn begin(client: &mut Client, query: &str) -> String {
    let answer = client.ask("POST", &format!("/v2/a/blobs/uploads/{query}")).expect(202);
    assert_eq!(answer.header("range"), "0-0");
    let location = answer.header("location").to_owned();
    assert!(location.starts_with("/v2/a/blobs/uploads/"), "{location}");
    assert!(location.ends_with(answer.header("docker-upload-uuid")), "{location}");
    location
}

fn pull(client: &mut Client, digest: &str) -> Vec<u8> {
    client.ask("GET", &format!("/v2/a/blobs/{digest}")).expect(200).body
}

#[test]
fn one_request_pushes_a_blob() {
    let server = Server::new();
    let mut client = server.client();
    let named = digest(b"content");
    let answer = client.send("POST", &format!("/v2/a/blobs/uploads/?digest={named}"), &[], b"content").expect(201);
    assert_eq!(answer.header("location"), format!("/v2/a/blobs/{named}"));
    assert_eq!(answer.header("docker-content-digest"), named);
    assert_eq!(pull(&mut client, &named), b"content");
}

#[test]
fn a_session_and_one_put_push_a_blob() {
    let server = Server::new();
    let mut client = server.client();
    for content in [b"small".to_vec(), vec![3; 1_500_000]] {
        let (location, named) = (begin(&mut client, ""), digest(&content));
        let answer = client.send("PUT", &format!("{location}?digest={named}"), &[], &content).expect(201);
        assert_eq!(answer.header("location"), format!("/v2/a/blobs/{named}"));
        assert!(pull(&mut client, &named) == content);
        assert_eq!(client.ask("GET", &location).refusal(), (404, "BLOB_UPLOAD_UNKNOWN".into()), "it has ended");
    }
}

#[test]
fn chunks_push_a_blob() {
    let server = Server::new();
    let mut client = server.client();
    for size in [30_usize, 300_000] {
        let content: Vec<u8> = (0..size).map(|at| (at % 11) as u8).collect();
        let mut location = begin(&mut client, "");
        for (number, chunk) in content.chunks(size / 3).enumerate() {
            let first = number * (size / 3);
            let range = format!("{first}-{}", first + chunk.len() - 1);
            let answer = client.send("PATCH", &location, &[("Content-Range", &range)], chunk).expect(202);
            assert_eq!(answer.header("range"), format!("0-{}", first + chunk.len() - 1));
            location = answer.header("location").to_owned();
            let status = client.ask("GET", &location).expect(204);
            assert_eq!(status.header("range"), format!("0-{}", first + chunk.len() - 1));
        }
        let named = digest(&content);
        client.send("PUT", &format!("{location}?digest={named}"), &[], b"").expect(201);
        assert!(pull(&mut client, &named) == content);
    }
}

#[test]
fn the_last_chunk_may_come_with_the_put() {
    let server = Server::new();
    let mut client = server.client();
    let location = begin(&mut client, "");
    client.send("PATCH", &location, &[("Content-Range", "0-3")], b"abcd").expect(202);
    let path = format!("{location}?digest={}", digest(b"abcdef"));
    let wrong = client.send("PUT", &path, &[("Content-Range", "0-1")], b"ef");
    assert_eq!(wrong.refusal(), (416, "BLOB_UPLOAD_INVALID".into()));
    client.send("PUT", &path, &[("Content-Range", "4-5")], b"ef").expect(201);
    assert_eq!(pull(&mut client, &digest(b"abcdef")), b"abcdef");
}

#[test]
fn a_stream_without_length_pushes_a_blob() {
    let server = Server::new();
    let mut client = server.client();
    let location = begin(&mut client, "");
    client.send("PATCH", &location, &[("Transfer-Encoding", "chunked")], b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").expect(202);
    client.send("PUT", &format!("{location}?digest={}", digest(b"abcde")), &[], b"").expect(201);
}

#[test]
fn chunks_out_of_order_are_refused_and_the_upload_goes_on() {
    let server = Server::new();
    let mut client = server.client();
    let location = begin(&mut client, "");
    client.send("PATCH", &location, &[("Content-Range", "0-2")], b"abc").expect(202);
    for range in ["0-2", "4-6", "100-102"] {
        let answer = client.send("PATCH", &location, &[("Content-Range", range)], b"xyz");
        assert_eq!(answer.refusal(), (416, "BLOB_UPLOAD_INVALID".into()));
        assert_eq!((answer.header("range"), answer.header("location")), ("0-2", &*location));
    }
    assert_eq!(client.ask("GET", &location).expect(204).header("range"), "0-2");
    client.send("PUT", &format!("{location}?digest={}", digest(b"abcdef")), &[("Content-Range", "3-5")], b"def").expect(201);
}

#[test]
fn chunks_that_are_not_as_long_as_they_say_are_refused() {
    let server = Server::new();
    let mut client = server.client();
    let location = begin(&mut client, "");
    let answer = client.send("PATCH", &location, &[("Content-Range", "0-9")], b"abc");
    assert_eq!(answer.refusal(), (400, "SIZE_INVALID".into()));
    for range in ["abc", "9-1", "-", "0"] {
        let answer = client.send("PATCH", &location, &[("Content-Range", range)], b"abc");
        assert_eq!(answer.refusal(), (400, "BLOB_UPLOAD_INVALID".into()), "{range}");
    }
    // Without a length this is only seen at the end, when the upload cannot be mended.
    let chunked = [("Content-Range", "0-9"), ("Transfer-Encoding", "chunked")];
    let answer = client.send("PATCH", &location, &chunked, b"3\r\nabc\r\n0\r\n\r\n");
    assert_eq!(answer.refusal(), (400, "SIZE_INVALID".into()));
    assert_eq!(client.ask("GET", &location).status, 404);
}

#[test]
fn content_with_another_digest_is_refused() {
    let server = Server::new();
    let mut client = server.client();
    let named = digest(b"expected");
    let at_once = client.send("POST", &format!("/v2/a/blobs/uploads/?digest={named}"), &[], b"other");
    assert_eq!(at_once.refusal(), (400, "DIGEST_INVALID".into()));
    for content in [b"other".to_vec(), vec![1; 200_000]] {
        let location = begin(&mut client, "");
        let answer = client.send("PUT", &format!("{location}?digest={named}"), &[], &content);
        assert_eq!(answer.refusal(), (400, "DIGEST_INVALID".into()));
        assert_eq!(client.ask("GET", &location).status, 404, "it has ended");
    }
    assert_eq!(client.ask("GET", &format!("/v2/a/blobs/{named}")).status, 404);
    assert_eq!(std::fs::read_dir(server.folder.0.join("files")).expect("listed").count(), 0);
}

#[test]
fn digests_that_are_none_or_missing_are_refused() {
    let server = Server::new();
    let mut client = server.client();
    let location = begin(&mut client, "");
    for query in ["", "?digest=", "?digest=sha256:12", "?digest=md5:d41d8cd98f00b204e9800998ecf8427e"] {
        let answer = client.send("PUT", &format!("{location}{query}"), &[], b"abc");
        assert_eq!(answer.refusal(), (400, "DIGEST_INVALID".into()), "{query}");
    }
    assert_eq!(client.ask("GET", &location).status, 204, "it goes on");
    assert_eq!(client.ask("POST", "/v2/a/blobs/uploads/?digest=x").refusal().0, 400);
    assert_eq!(client.ask("POST", "/v2/a/blobs/uploads/?mount=x").refusal().0, 400);
    assert_eq!(client.ask("POST", "/v2/a/blobs/uploads/?digest-algorithm=md5").refusal().0, 400);
}

#[test]
fn names_that_are_none_are_refused() {
    let server = Server::new();
    let mut client = server.client();
    for name in ["A", "a//b", "-a", "a/../b", "a/%2e%2e/b", &"a".repeat(256)] {
        let answer = client.ask("POST", &format!("/v2/{name}/blobs/uploads/"));
        assert_eq!(answer.refusal(), (400, "NAME_INVALID".into()), "{name}");
    }
}

#[test]
fn sha512_is_as_good() {
    let server = Server::new();
    let mut client = server.client();
    for (content, query) in [(b"abc".to_vec(), ""), (vec![4; 300_000], ""), (vec![5; 300_000], "?digest-algorithm=sha512")] {
        let named = Digest::of(Algorithm::Sha512, &content).to_string();
        let location = begin(&mut client, query);
        client.send("PUT", &format!("{location}?digest={named}"), &[], &content).expect(201);
        assert!(pull(&mut client, &named) == content);
    }
}

#[test]
fn an_upload_is_cancelled() {
    let server = Server::new();
    let mut client = server.client();
    let location = begin(&mut client, "");
    client.send("PATCH", &location, &[], &vec![1; 200_000]).expect(202);
    client.ask("DELETE", &location).expect(204);
    for method in ["GET", "DELETE", "PATCH"] {
        assert_eq!(client.ask(method, &location).refusal(), (404, "BLOB_UPLOAD_UNKNOWN".into()), "{method}");
    }
    assert_eq!(std::fs::read_dir(server.folder.0.join("files")).expect("listed").count(), 0);
}

#[test]
fn an_upload_belongs_to_its_repository() {
    let server = Server::new();
    let mut client = server.client();
    let location = begin(&mut client, "").replace("/v2/a/", "/v2/b/");
    assert_eq!(client.ask("GET", &location).refusal(), (404, "BLOB_UPLOAD_UNKNOWN".into()));
}

#[test]
fn what_came_before_the_connection_broke_stays() {
    let server = Server::new();
    let mut client = server.client();
    let location = begin(&mut client, "");
    let content: Vec<u8> = (0..2_500_000).map(|at| (at % 17) as u8).collect();
    let mut broken = client.raw();
    write!(broken, "PATCH {location} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", content.len()).expect("sent");
    broken.write_all(&content[..2_000_000]).expect("sent");
    drop(broken);
    let kept = loop {
        let answer = client.ask("GET", &location).expect(204);
        let last: usize = answer.header("range").trim_start_matches("0-").parse().expect("number");
        if last > 0 {
            break last + 1;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    let range = format!("{kept}-{}", content.len() - 1);
    let named = digest(&content);
    client.send("PUT", &format!("{location}?digest={named}"), &[("Content-Range", &range)], &content[kept..]).expect(201);
    assert!(pull(&mut client, &named) == content);
}

#[test]
fn a_blob_is_mounted_from_another_repository() {
    let server = Server::new();
    let mut client = server.client();
    let named = client.push("from/here", b"shared");
    let answer = client.ask("POST", &format!("/v2/a/blobs/uploads/?mount={named}&from=from/here")).expect(201);
    assert_eq!(answer.header("location"), format!("/v2/a/blobs/{named}"));
    assert_eq!(pull(&mut client, &named), b"shared");
    client.ask("POST", &format!("/v2/b/blobs/uploads/?mount={named}")).expect(201);
    assert_eq!(client.ask("GET", &format!("/v2/b/blobs/{named}")).body, b"shared");
}

#[test]
fn what_cannot_be_mounted_is_uploaded() {
    let server = Server::new();
    let mut client = server.client();
    let named = client.push("from/here", b"shared");
    for query in [format!("?mount={named}&from=not/here"), format!("?mount={}", digest(b"nowhere"))] {
        let location = begin(&mut client, &query);
        client.ask("DELETE", &location).expect(204);
    }
    assert_eq!(client.ask("POST", &format!("/v2/a/blobs/uploads/?mount={named}&from=A")).refusal(), (400, "NAME_INVALID".into()));
}

#[test]
fn the_same_blob_may_be_pushed_by_many_at_once() {
    let server = Server::new();
    for content in [vec![7; 5_000], vec![8; 500_000]] {
        std::thread::scope(|scope| {
            for number in 0..8 {
                let (mut client, content) = (server.client(), &content);
                scope.spawn(move || client.push(&format!("r{}", number % 3), content));
            }
        });
        let mut client = server.client();
        let named = digest(&content);
        assert!((0..3).all(|number| client.ask("GET", &format!("/v2/r{number}/blobs/{named}")).body == content));
    }
    assert_eq!(std::fs::read_dir(server.folder.0.join("files")).expect("listed").count(), 1);
    assert_eq!(registry::fsck(&server.stop().0).expect("read").problems, Vec::<String>::new());
}
