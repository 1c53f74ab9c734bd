//! Requests that go on to pods.

use crate::common::{World, has_kubectl};
use k8s::kinds::{ENDPOINT_SLICE, POD, SERVICE};
use k8s::{Fields, Value};
use serde_json::json;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// An address as pods have it; the host's node connects to the loopback instead.
const POD_ADDRESS: &str = "10.99.0.1";

/// Answers with what was asked: a page with one link for `/page`, and the request itself otherwise.
async fn serve(mut io: impl AsyncRead + AsyncWrite + Unpin) {
    let mut request = Vec::new();
    loop {
        let mut part = [0; 4096];
        let read = io.read(&mut part).await.unwrap_or(0);
        request.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&request);
        let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
            let length = head.lines().filter_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()).next();
            let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
            if chunked { body.ends_with("0\r\n\r\n") } else { body.len() >= length.unwrap_or(0) }
        });
        if whole || read == 0 {
            break;
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let (media, body) = if request.starts_with("GET /page") {
        ("text/html; charset=utf-8", "<a href=\"/x\">x</a>".to_owned())
    } else {
        ("text/plain", request)
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = io.write_all((head + &body).as_bytes()).await;
    let _ = io.shutdown().await;
}

async fn plain() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("listens");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            tokio::spawn(serve(io));
        }
    });
    port
}

async fn within_tls() -> u16 {
    let made = rcgen::generate_simple_self_signed(["nobody".to_owned()]).expect("a certificate");
    let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).expect("a configuration");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("listens");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(io) = acceptor.accept(io).await {
                    serve(io).await;
                }
            });
        }
    });
    port
}

async fn pod(world: &World, name: &str, port: u16, address: &str) {
    let api = world.server().api();
    let pod = json!({"metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [{"name": "c", "image": "x", "ports": [{"containerPort": port}]}]}});
    let made = api.create(POD, pod).await.expect("made");
    let mut pod = Value::clone(&made);
    pod.set("status.podIP", address);
    pod.set("status.podIPs", json!([{"ip": address}]));
    api.update_status(POD, pod).await.expect("told");
}

async fn service(world: &World, port: u16, tls: u16) {
    let api = world.server().api();
    let ports = json!([{"name": "web", "port": 80, "targetPort": port}, {"name": "safe", "port": 443, "targetPort": tls}]);
    let service = json!({"metadata": {"name": "s", "namespace": "default"}, "spec": {"ports": ports}});
    api.create(SERVICE, service).await.expect("made");
    let endpoint = |address: &str, pod: &str| json!({"addresses": [address], "conditions": {"ready": true}, "targetRef": {"kind": "Pod", "namespace": "default", "name": pod}});
    let slice = json!({"metadata": {"name": "s-1", "namespace": "default", "labels": {"kubernetes.io/service-name": "s"}},
        "addressType": "IPv4", "ports": [{"name": "web", "port": port}, {"name": "safe", "port": tls}],
        // The second is no address of the pod that it names, and must not be asked.
        "endpoints": [endpoint(POD_ADDRESS, "p"), endpoint("10.99.0.2", "p")]});
    api.create(ENDPOINT_SLICE, slice).await.expect("made");
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_and_services_are_reached_through_the_server() {
    if !has_kubectl() {
        return;
    }
    let world = World::start().await;
    let (port, tls) = (plain().await, within_tls().await);
    pod(&world, "p", port, POD_ADDRESS).await;
    service(&world, port, tls).await;
    let below = "/api/v1/namespaces/default";
    let told = world.kubectl(&format!("get --raw {below}/pods/p/proxy/a/b/c/?d=e")).await;
    assert!(told.starts_with("GET /a/b/c/?d=e HTTP/1.1"), "{told}");
    assert!(told.contains(&format!("x-forwarded-uri: {below}/pods/p/proxy/a/b/c/")), "{told}");
    for path in [format!("pods/p:{port}"), format!("pods/https:p:{tls}"), "services/s:web".into(), "services/s:80".into()] {
        let told = world.kubectl(&format!("get --raw {below}/{path}/proxy/x")).await;
        assert!(told.starts_with("GET /x HTTP/1.1"), "{path}: {told}");
    }
    for path in ["services/https:s:safe", "services/https:s:443"] {
        assert!(world.kubectl(&format!("get --raw {below}/{path}/proxy/x")).await.starts_with("GET /x HTTP/1.1"), "{path}");
    }
    let page = world.kubectl(&format!("get --raw {below}/pods/p/proxy/page")).await;
    assert_eq!(page, format!("<a href=\"{below}/pods/p/proxy/x\">x</a>\n"));
    let posted = world.kubectl_in(&["create", "--raw", &format!("{below}/services/s:web/proxy/y"), "-f", "-"], "{\"a\":1}").await;
    assert!(posted.starts_with("POST /y HTTP/1.1") && posted.contains("{\"a\":1}"), "{posted}");
    // The root without its slash is answered by a redirect, which kubectl follows.
    assert!(world.kubectl(&format!("get --raw {below}/pods/p/proxy")).await.starts_with("GET / HTTP/1.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_pod_is_not_reached() {
    if !has_kubectl() {
        return;
    }
    let world = World::start().await;
    let port = plain().await;
    pod(&world, "own", port, "127.0.0.1").await;
    pod(&world, "p", port, POD_ADDRESS).await;
    let below = "get --raw /api/v1/namespaces/default";
    assert!(world.refused(&format!("{below}/pods/own/proxy/")).await.contains("address not allowed"));
    assert!(world.refused(&format!("{below}/pods/none/proxy/")).await.contains("not found"));
    assert!(world.refused(&format!("{below}/pods/p:none/proxy/")).await.contains("invalid port"));
    assert!(world.refused(&format!("{below}/services/kubernetes:https/proxy/")).await.contains("no endpoints available"));
    assert!(world.refused(&format!("{below}/services/kubernetes:1/proxy/")).await.contains("no service port 1 found"));
    assert!(world.refused(&format!("{below}/pods/p/proxy/ --as nobody")).await.contains("forbidden"));
}
