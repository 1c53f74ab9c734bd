//! Start, creates and updates a second of 1 KiB ConfigMaps at 1 and 16 writers, LIST of 5,000, watches: `cargo bench -p apiserver [FOLDER]`.
#![allow(clippy::print_stdout)]

use apiserver::{Config, NoNode, Server};
use base::SystemClock;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_rustls::TlsConnector;

type Client = SendRequest<Full<Bytes>>;

async fn connect(server: &Server, home: &std::path::Path) -> Client {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.ca_pem().as_bytes()).expect("PEM")).expect("a certificate");
    let read = |name: &str| std::fs::read(home.join("pki").join(name)).expect("read");
    let certificate = CertificateDer::from_pem_slice(&read("admin.crt")).expect("PEM");
    let key = PrivateKeyDer::from_pem_slice(&read("admin.key")).expect("PEM");
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let mut config = builder.with_root_certificates(roots).with_client_auth_cert(vec![certificate], key).expect("a key");
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = tokio::net::TcpStream::connect(server.address()).await.expect("connected");
    stream.set_nodelay(true).expect("set");
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("TLS");
    let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("h2");
    tokio::spawn(connection);
    client
}

async fn ask(client: &mut Client, method: Method, path: &str, body: String) -> (u16, Bytes) {
    let request = Request::builder().method(method).uri(format!("https://localhost{path}")).header("content-type", "application/json");
    let request = request.body(Full::from(body)).expect("a request");
    let answer = client.send_request(request).await.expect("answered");
    let code = answer.status().as_u16();
    (code, answer.into_body().collect().await.expect("read").to_bytes())
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";

async fn write(server: &Server, home: &std::path::Path, writers: usize, rounds: usize, update: bool) {
    let begin = Instant::now();
    let mut tasks = Vec::new();
    for writer in 0..writers {
        let mut client = connect(server, home).await;
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::with_capacity(rounds);
            for index in 0..rounds {
                let name = format!("m-{writers}-{writer}-{index}");
                let fill = (if update { "y" } else { "x" }).repeat(1_000);
                let body = format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}"}},"data":{{"a":"{fill}"}}}}"#);
                let at = Instant::now();
                let (code, told) = if update {
                    ask(&mut client, Method::PUT, &format!("{MAPS}/{name}"), body).await
                } else {
                    ask(&mut client, Method::POST, MAPS, body).await
                };
                assert!(code < 300, "{code} {told:?}");
                times.push(at.elapsed());
            }
            times
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("ran"));
    }
    let elapsed = begin.elapsed();
    times.sort();
    let at = |part: usize| times[times.len() * part / 100].as_secs_f64() * 1e3;
    let what = if update { "updates" } else { "creates" };
    println!(
        "{writers:>3} writers: {:>7.0} {what}/s, p50 {:.2} ms, p99 {:.2} ms",
        times.len() as f64 / elapsed.as_secs_f64(),
        at(50),
        at(99)
    );
}

#[tokio::main]
async fn main() {
    let parent = std::env::args().nth(1).filter(|arg| !arg.starts_with('-')).map_or_else(std::env::temp_dir, PathBuf::from);
    let home = parent.join(format!("wharf-bench-api-{}", std::process::id()));
    let config = || Config {
        home: home.clone(),
        listen: ([127, 0, 0, 1], 0).into(),
        addresses: Vec::new(),
        clock: Arc::new(SystemClock),
        node: Arc::new(NoNode),
        limits: net::Limits::default(),
    };
    let begin = Instant::now();
    let server = Server::start(config()).await.expect("starts");
    println!("first start: {:.1} ms", begin.elapsed().as_secs_f64() * 1e3);
    server.kubeconfig().expect("a certificate");
    write(&server, &home, 1, 1_000, false).await;
    write(&server, &home, 16, 400, false).await;
    write(&server, &home, 1, 1_000, true).await;
    write(&server, &home, 16, 400, true).await;
    let mut client = connect(&server, &home).await;
    for _ in 0..3 {
        let begin = Instant::now();
        let (code, body) = ask(&mut client, Method::GET, &format!("{MAPS}?limit=5000"), String::new()).await;
        println!("LIST of 5,000: {:.1} ms, {code}, {:.1} MB", begin.elapsed().as_secs_f64() * 1e3, body.len() as f64 / 1e6);
    }
    for path in ["/openapi/v3", "/openapi/v3/api/v1", "/openapi/v2", "/apis"] {
        let begin = Instant::now();
        let (_, body) = ask(&mut client, Method::GET, path, String::new()).await;
        println!("{path}: {:.1} ms, {} bytes", begin.elapsed().as_secs_f64() * 1e3, body.len());
    }
    drop(client);
    server.drain(Duration::from_secs(1)).await;
    let begin = Instant::now();
    let server = Server::start(config()).await.expect("starts");
    println!("start with {} objects: {:.1} ms", server.api().list(k8s::kinds::CONFIG_MAP, None).len(), begin.elapsed().as_secs_f64() * 1e3);
    drop(server);
    std::fs::remove_dir_all(home).expect("removed");
}
