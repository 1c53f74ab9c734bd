//! Two servers in turns: creates a second of 1 KiB ConfigMaps at 1 and 16 writers. `cargo bench -p apiserver --bench beside OURS THEIRS`.
//!
//! Each argument is a folder that says how a server is reached: `server` (https://ADDRESS:PORT), `ca.crt`, `client.crt`, `client.key`.
#![allow(clippy::print_stdout)]

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_rustls::TlsConnector;

type Client = SendRequest<Full<Bytes>>;

struct Place {
    address: SocketAddr,
    tls: TlsConnector,
}

impl Place {
    fn read(folder: &Path) -> Self {
        let read = |name: &str| std::fs::read(folder.join(name)).expect("the four files are there");
        let server = String::from_utf8(read("server")).expect("text");
        let address = server.trim().trim_start_matches("https://").parse().expect("https://ADDRESS:PORT");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&read("ca.crt")).expect("PEM")).expect("a certificate");
        let chain = CertificateDer::pem_slice_iter(&read("client.crt")).collect::<Result<Vec<_>, _>>().expect("PEM");
        let key = PrivateKeyDer::from_pem_slice(&read("client.key")).expect("PEM");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
        let mut config = builder.with_root_certificates(roots).with_client_auth_cert(chain, key).expect("a key");
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self { address, tls: TlsConnector::from(Arc::new(config)) }
    }

    async fn connect(&self) -> Client {
        let stream = tokio::net::TcpStream::connect(self.address).await.expect("connected");
        stream.set_nodelay(true).expect("set");
        let stream = self.tls.connect(ServerName::IpAddress(self.address.ip().into()), stream).await.expect("TLS");
        let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("h2");
        tokio::spawn(connection);
        client
    }
}

async fn ask(client: &mut Client, method: Method, path: &str, body: String) {
    let request = Request::builder().method(method).uri(format!("https://localhost{path}")).header("content-type", "application/json");
    let answer = client.send_request(request.body(Full::from(body)).expect("a request")).await.expect("answered");
    let code = answer.status().as_u16();
    let told = answer.into_body().collect().await.expect("read").to_bytes();
    assert!(code < 300, "{code} {told:?}");
}

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const LABEL: &str = "wharf-bench";
const ROUNDS: usize = 5;

/// Creates a second, and the time that the middle one took.
async fn creates(place: &Place, round: usize, writers: usize, each: usize) -> (f64, Duration) {
    let mut tasks = Vec::new();
    let mut clients = Vec::new();
    for _ in 0..writers {
        clients.push(place.connect().await);
    }
    let begin = Instant::now();
    for (writer, mut client) in clients.into_iter().enumerate() {
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::with_capacity(each);
            for index in 0..each {
                let name = format!("bench-{round}-{writers}-{writer}-{index}");
                let fill = "x".repeat(1_000);
                let body = format!(
                    r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}","labels":{{"{LABEL}":"yes"}}}},"data":{{"a":"{fill}"}}}}"#
                );
                let at = Instant::now();
                ask(&mut client, Method::POST, MAPS, body).await;
                times.push(at.elapsed());
            }
            times
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("ran"));
    }
    let rate = times.len() as f64 / begin.elapsed().as_secs_f64();
    times.sort();
    (rate, times.get(times.len() / 2).copied().unwrap_or_default())
}

async fn clear(place: &Place) {
    ask(&mut place.connect().await, Method::DELETE, &format!("{MAPS}?labelSelector={LABEL}%3Dyes"), String::new()).await;
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[tokio::main]
async fn main() {
    let folders: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let [ours, theirs] = folders.as_slice() else {
        println!("skipped: two servers (OURS THEIRS)");
        return;
    };
    let places = [Place::read(Path::new(ours)), Place::read(Path::new(theirs))];
    for place in &places {
        clear(place).await;
    }
    for (writers, each) in [(1, 300), (16, 100)] {
        let mut seen = [Vec::new(), Vec::new()];
        let mut times = [Vec::new(), Vec::new()];
        for round in 0..ROUNDS {
            for ((place, seen), times) in places.iter().zip(&mut seen).zip(&mut times) {
                let (rate, time) = creates(place, round, writers, each).await;
                seen.push(rate);
                times.push(time.as_secs_f64() * 1e3);
            }
        }
        let ([ours, theirs], [our_time, their_time]) = (seen.map(middle), times.map(middle));
        println!(
            "{writers:>3} writers: wharf {ours:>7.0} creates/s, p50 {our_time:.2} ms; peer {theirs:>7.0} creates/s, p50 {their_time:.2} ms; wharf/peer {:.2}",
            ours / theirs
        );
    }
    for place in &places {
        clear(place).await;
    }
}
