//! What clients may cost.

use crate::client::{Server, digest};
use registry::{Limits, Options};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

fn with(limits: Limits) -> Server {
    Server::with(Options { limits, ..Options::default() })
}

#[test]
fn uploads_are_so_many_at_once() {
    let server = with(Limits { sessions: 3, ..Limits::default() });
    let mut client = server.client();
    let open: Vec<String> = (0..3).map(|_| client.ask("POST", "/v2/a/blobs/uploads/").expect(202).header("location").to_owned()).collect();
    let refused = client.ask("POST", "/v2/a/blobs/uploads/");
    assert_eq!(refused.refusal(), (429, "TOOMANYREQUESTS".into()));
    assert_eq!(refused.header("retry-after"), "1");
    client.ask("DELETE", &open[0]).expect(204);
    client.ask("POST", "/v2/a/blobs/uploads/").expect(202);
}

#[test]
fn uploads_that_nothing_is_heard_of_end() {
    let server = with(Limits { session_idle: Duration::from_millis(100), ..Limits::default() });
    let mut client = server.client();
    let location = client.ask("POST", "/v2/a/blobs/uploads/").expect(202).header("location").to_owned();
    client.send("PATCH", &location, &[], &vec![1; 100_000]).expect(202);
    let files = server.folder.0.join("files");
    let begun = Instant::now();
    while std::fs::read_dir(&files).expect("listed").count() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(client.ask("GET", &location).status, 404);
}

#[test]
fn blobs_are_at_most_so_large() {
    let server = with(Limits { blob_bytes: 100_000, ..Limits::default() });
    let mut client = server.client();
    client.push("a", &vec![1; 100_000]);
    let large = vec![1; 100_001];
    let answer = client.send("POST", &format!("/v2/a/blobs/uploads/?digest={}", digest(&large)), &[], &large);
    assert_eq!(answer.refusal(), (413, "SIZE_INVALID".into()));
    let location = client.ask("POST", "/v2/a/blobs/uploads/").expect(202).header("location").to_owned();
    client.send("PATCH", &location, &[], &large[..60_000]).expect(202);
    assert_eq!(client.send("PATCH", &location, &[], &large[..60_000]).refusal(), (413, "SIZE_INVALID".into()));
}

#[test]
fn bodies_that_stand_still_are_given_up() {
    let server = with(Limits { body_idle: Duration::from_millis(200), ..Limits::default() });
    let mut slow = server.client().raw();
    write!(slow, "POST /v2/a/blobs/uploads/?digest={} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc", digest(b"x"))
        .expect("sent");
    slow.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    let mut answer = [0; 12];
    slow.read_exact(&mut answer).expect("answered");
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[test]
fn heads_are_at_most_so_large() {
    let server = Server::new();
    let mut client = server.client();
    let large = "x".repeat(200 << 10);
    let answer = client.try_send("GET", "/v2/", &[("X-Large", &large)], b"");
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 431));
    server.client().ask("GET", "/v2/").expect(200);
}
