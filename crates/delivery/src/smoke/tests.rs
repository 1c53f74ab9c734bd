//! Smoke checks.

use super::address::{of_service, url};
use super::*;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[test]
fn addresses() {
    let at = |text: &str| url(text).map(|endpoint| (endpoint.host, endpoint.port, endpoint.path));
    assert_eq!(at("a.b:81/x?y"), Some(("a.b".to_owned(), 81, "/x?y".to_owned())));
    assert_eq!(at("[::1]:81"), Some(("::1".to_owned(), 81, "/".to_owned())));
    assert_eq!(at("a"), Some(("a".to_owned(), 80, "/".to_owned())));
    for wrong in ["", ":80/", "a:x", "u@h/"] {
        assert_eq!(at(wrong), None, "{wrong}");
    }
    let service = json!({"metadata": {"name": "web"}, "spec": {"type": "NodePort", "ports": [{"name": "a", "port": 80, "nodePort": 32000}, {"name": "b", "port": 81}]}});
    let found = of_service(&service, "", "127.0.0.1", "/".to_owned()).expect("found");
    assert_eq!((found.host.as_str(), found.port), ("127.0.0.1", 32_000));
    assert!(of_service(&service, "b", "h", "/".to_owned()).expect_err("inside").contains("only inside the cluster"));
    assert!(of_service(&service, "zz", "h", "/".to_owned()).is_err());
    let balanced = json!({"metadata": {"name": "web"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}, "status": {"loadBalancer": {"ingress": [{"ip": "127.9.0.1"}]}}});
    assert_eq!(of_service(&balanced, "80", "h", "/x".to_owned()).expect("found").to_string(), "http://127.9.0.1/x");
}

#[test]
fn expectations() {
    let answer = Answer { status: 200, headers: BTreeMap::from([("x-a".to_owned(), "1".to_owned())]), body: b"Hello there\n".to_vec() };
    let expect = |status: Option<u16>, body: Option<&str>, contains: Option<&str>, header: Option<(&str, &str)>| Expect {
        status,
        body: body.map(str::to_owned),
        contains: contains.map(str::to_owned),
        headers: header.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    };
    assert_eq!(holds(&expect(Some(200), Some("Hello there"), Some("lo th"), Some(("X-A", "1"))), &answer), Ok(()));
    for wrong in [
        expect(Some(201), None, None, None),
        expect(None, Some("x"), None, None),
        expect(None, None, Some("x"), None),
        expect(None, None, None, Some(("X-A", "2"))),
        expect(None, None, None, Some(("X-B", "2"))),
    ] {
        assert!(holds(&wrong, &answer).is_err(), "{wrong:?}");
    }
    assert!(holds(&Expect::default(), &Answer { status: 503, ..Answer::default() }).is_err());
}

#[tokio::test]
async fn sends_and_reads() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let port = listener.local_addr().expect("address").port();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("accepted");
        let mut request = vec![0; 4096];
        let read = stream.read(&mut request).await.expect("read");
        stream.write_all(b"HTTP/1.1 201 Created\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nok").await.expect("written");
        String::from_utf8_lossy(&request[..read]).into_owned()
    });
    let check = Check {
        method: "POST".to_owned(),
        body: b"hi".to_vec(),
        headers: BTreeMap::from([("Authorization".to_owned(), "t".to_owned())]),
        ..Check::default()
    };
    let answer = request::send(&check, &Endpoint { host: "127.0.0.1".to_owned(), port, path: "/jobs".to_owned() }).await.expect("answer");
    assert_eq!((answer.status, answer.body.as_slice(), answer.headers.get("x-a").map(String::as_str)), (201, b"ok".as_slice(), Some("1")));
    let request = server.await.expect("served");
    assert!(
        request.starts_with("POST /jobs HTTP/1.1\r\n") && request.contains("authorization: t\r\n") && request.ends_with("hi"),
        "{request}"
    );
}
