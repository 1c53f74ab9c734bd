//! HTTP/1.1 and HTTP/2, with TLS and without, on a server that is not ours.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use loadgen::{Amount, Config, Pace, Report, Trust, run};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

type Answer = fn(&Request<()>, Bytes) -> Response<Full<Bytes>>;

/// A server that counts what it served.
struct Server {
    address: SocketAddr,
    authority: String,
    /// Requests of each version, and connections.
    seen: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Server {
    async fn start(alpn: Option<&[&str]>, answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("address");
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("made");
        let authority = made.cert.pem();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
        let mut config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).expect("fits");
        config.alpn_protocols = alpn.unwrap_or_default().iter().map(|name| name.as_bytes().to_vec()).collect();
        let tls = alpn.map(|_| TlsAcceptor::from(Arc::new(config)));
        let seen: Arc<Mutex<BTreeMap<String, u64>>> = Arc::default();
        let counts = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                *counts.lock().expect("sound").entry("connections".to_owned()).or_default() += 1;
                let (tls, counts) = (tls.clone(), Arc::clone(&counts));
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, counts, answer).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, counts, answer).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, authority, seen }
    }

    fn seen(&self, what: &str) -> u64 {
        self.seen.lock().expect("sound").get(what).copied().unwrap_or_default()
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, counts: Arc<Mutex<BTreeMap<String, u64>>>, answer: Answer) {
    let service = service_fn(move |request: Request<Incoming>| {
        let counts = Arc::clone(&counts);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            *counts.lock().expect("sound").entry(format!("{:?}", parts.version)).or_default() += 1;
            Ok::<_, Infallible>(answer(&Request::from_parts(parts, ()), body))
        }
    });
    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

fn echo(request: &Request<()>, body: Bytes) -> Response<Full<Bytes>> {
    let status = if request.uri().path() == "/busy" { 503 } else { 200 };
    Response::builder().status(status).body(Full::new(body)).expect("an answer")
}

fn config(server: &Server, scheme: &str) -> Config {
    let url = format!("{scheme}://localhost:{}/", server.address.port());
    let trust = Trust::Authorities(server.authority.clone());
    Config { amount: Amount::Requests(120), concurrency: 4, trust, timeout: Duration::from_secs(5), ..Config::new(url) }
}

async fn load(config: Config) -> Report {
    run(config, |_| {}).await.expect("settings are right")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_protocol_counts_the_same() {
    for (scheme, alpn) in [("http", None), ("https", Some(&["h2", "http/1.1"] as &[&str]))] {
        for (http2, version) in [(false, Version::HTTP_11), (true, Version::HTTP_2)] {
            for keep_alive in [true, false] {
                let server = Server::start(alpn, echo).await;
                let body = Bytes::from("x".repeat(300_000));
                let config = Config { http2, keep_alive, body, method: http::Method::POST, ..config(&server, scheme) };
                let report = load(config).await;
                assert_eq!((report.ok, report.failed, report.retried), (120, 0, 0), "{scheme} {http2} {keep_alive}: {report:?}");
                let connections = if keep_alive { 4 } else { 120 };
                assert_eq!((report.connections, server.seen("connections")), (connections, connections));
                assert_eq!(server.seen(&format!("{version:?}")), 120);
                assert!(report.bytes >= 120 * 300_000, "{}", report.bytes);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_requests_share_a_connection_of_http2() {
    let server = Server::start(None, echo).await;
    let config = Config { http2: true, streams: 10, concurrency: 2, ..config(&server, "http") };
    let report = load(Config { url: config.url.replace("localhost:", "127.0.0.1:") + "busy", ..config.clone() }).await;
    assert_eq!((report.failed, report.statuses.get(&503), server.seen("connections")), (120, Some(&120), 2), "{report:?}");
    let report = load(Config { pace: Pace::Arrivals(200.0), ..config }).await;
    assert_eq!((report.ok, report.corrected.map(|times| times.count)), (120, Some(120)), "{report:?}");
    assert!(report.sent_rate.is_some_and(|rate| (rate / 200.0 - 1.0).abs() < 0.02), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_trusted_is_not_asked() {
    let server = Server::start(Some(&["http/1.1"]), echo).await;
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made").cert.pem();
    for trust in [Trust::Authorities(other), Trust::Machine] {
        let asked = run(Config { trust: trust.clone(), amount: Amount::Requests(3), ..config(&server, "https") }, |_| {}).await;
        let Ok(report) = asked else {
            assert_eq!(trust, Trust::Machine, "only a machine without authorities has nobody to trust");
            continue;
        };
        assert_eq!((report.failed, report.errors[0].kind.as_str()), (3, "tls"), "{report:?}");
        assert!(report.errors[0].examples[0].contains("certificate"), "{report:?}");
    }
    assert_eq!(server.seen("HTTP/1.1"), 0);
    let report = load(Config { trust: Trust::Anybody, ..config(&server, "https") }).await;
    assert_eq!((report.ok, server.seen("HTTP/1.1")), (120, 120), "{report:?}");
    // It offers HTTP/1.1 alone.
    let report = load(Config { http2: true, amount: Amount::Requests(3), ..config(&server, "https") }).await;
    assert_eq!((report.failed, report.ok), (3, 0), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_no_tls_or_another_protocol_is_told() {
    let server = Server::start(None, echo).await;
    for (scheme, http2) in [("https", false), ("https", true)] {
        let report = load(Config { http2, amount: Amount::Requests(4), ..config(&server, scheme) }).await;
        assert_eq!((report.failed, report.errors.len()), (4, 1), "{report:?}");
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let nobody = listener.local_addr().expect("address");
    drop(listener);
    for http2 in [false, true] {
        let url = format!("http://{nobody}/");
        let report = load(Config { http2, amount: Amount::Requests(4), ..Config::new(url) }).await;
        assert_eq!(
            (report.failed, report.errors[0].kind.as_str(), report.verdict.as_str()),
            (4, "refused", "limits not kept"),
            "{report:?}"
        );
    }
}
