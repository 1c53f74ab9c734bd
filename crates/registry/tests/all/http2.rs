//! The same over HTTP/2.

use crate::client::{Server, digest};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};

async fn ask(server: &Server, method: &str, path: &str, body: Vec<u8>) -> (Response<()>, Bytes) {
    let stream = tokio::net::TcpStream::connect(server.address).await.expect("connected");
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("handshake");
    tokio::spawn(connection);
    let uri = format!("http://{}{path}", server.address);
    let request = Request::builder().method(method).uri(uri).body(Full::new(Bytes::from(body))).expect("request");
    let (head, body) = sender.send_request(request).await.expect("answered").into_parts();
    (Response::from_parts(head, ()), body.collect().await.expect("a body that ends well").to_bytes())
}

#[test]
fn blobs_and_manifests_come_and_go_over_http2() {
    let server = Server::new();
    server.client().push_image("a", "v1", b"layer");
    let content: Vec<u8> = (0..3_000_000).map(|at| (at % 201) as u8).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let named = digest(&content);
        let (pushed, _) = ask(&server, "POST", &format!("/v2/a/blobs/uploads/?digest={named}"), content.clone()).await;
        assert_eq!(pushed.status(), 201);
        let (answer, body) = ask(&server, "GET", &format!("/v2/a/blobs/{named}"), Vec::new()).await;
        assert!(answer.status() == 200 && body == content);
        for (path, length) in [
            (format!("/v2/a/blobs/{named}"), Some("3000000")),
            ("/v2/a/manifests/v1".to_owned(), None),
            ("/v2/a/tags/list".to_owned(), None),
        ] {
            let (answer, body) = ask(&server, "HEAD", &path, Vec::new()).await;
            assert!(answer.status() == 200 && body.is_empty(), "{path}");
            let (whole, body) = ask(&server, "GET", &path, Vec::new()).await;
            let said = answer.headers().get("content-length").and_then(|length| length.to_str().ok());
            assert_eq!(said, Some(body.len().to_string().as_str()), "{path}");
            assert!(length.is_none_or(|length| said == Some(length)));
            assert_eq!(answer.headers().get("content-type"), whole.headers().get("content-type"));
        }
        let (missing, body) = ask(&server, "HEAD", "/v2/a/manifests/none", Vec::new()).await;
        assert!(missing.status() == 404 && body.is_empty());
    });
}
