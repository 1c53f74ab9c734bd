//! Against servers on loopback.

use super::http::get;
use super::tcp;
use crate::pod::HttpGet;
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const SECOND: Duration = Duration::from_secs(1);

fn probe(path: &str) -> HttpGet {
    let headers = vec![("X-Own".to_owned(), "1".to_owned())];
    HttpGet { host: String::new(), port: json!(1), path: path.to_owned(), tls: false, headers }
}

/// A server that answers the first line of each request by `answer`; returns its port.
async fn serve(answer: fn(&str) -> String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let port = listener.local_addr().expect("address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = vec![0; 4_096];
            let count = stream.read(&mut buffer).await.unwrap_or(0);
            let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
            let _ = stream.write_all(answer(&text).as_bytes()).await;
        }
    });
    port
}

#[tokio::test]
async fn answers_decide() {
    let port = serve(|request| {
        let path = request.split(' ').nth(1).unwrap_or_default();
        assert!(request.to_lowercase().contains("x-own: 1") && request.contains("kube-probe/"));
        match path {
            "/ok" => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".into(),
            "/far" => "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/x\r\nContent-Length: 0\r\n\r\n".into(),
            "/near" => "HTTP/1.1 302 Found\r\nLocation: /bad\r\nContent-Length: 0\r\n\r\n".into(),
            "/loop" => "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n".into(),
            "/cut" => String::new(),
            _ => "HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy".into(),
        }
    })
    .await;
    let ask = |path: &'static str| async move { get(&probe(path), "127.0.0.1", port, SECOND).await };
    assert_eq!(ask("/ok").await, Ok(()));
    assert_eq!(ask("ok").await, Ok(()));
    assert_eq!(ask("/far").await, Ok(()), "a redirect to another host is not followed and is no failure");
    assert_eq!(ask("/near").await, Err("HTTP probe failed with statuscode: 503: busy".into()));
    assert!(ask("/loop").await.is_err_and(|why| why.contains("redirects")));
    assert!(ask("/cut").await.is_err_and(|why| why.ends_with("EOF")));
}

#[tokio::test]
async fn silence_times_out_and_a_closed_port_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let port = listener.local_addr().expect("address").port();
    let why = get(&probe("/"), "127.0.0.1", port, Duration::from_millis(50)).await.expect_err("nobody answers");
    assert!(why.contains("context deadline exceeded"), "{why}");
    assert_eq!(tcp::connect("127.0.0.1", port, SECOND).await, Ok(()));
    drop(listener);
    let why = tcp::connect("127.0.0.1", port, SECOND).await.expect_err("closed");
    assert!(why.ends_with("connection refused"), "{why}");
}
