//! A registry in this process, and a client that says exactly what it is told to say.

use base::{Clock, Timestamp};
use registry::digest::{Algorithm, Digest};
use registry::{Options, Registry};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A folder that goes with its owner.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("wharf-registry-{}-{}", std::process::id(), base::ids::suffix(8)));
        std::fs::create_dir_all(&path).expect("made");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A clock that is moved by hand; it goes on by a microsecond with each look.
pub(crate) struct Hand(AtomicI64);

impl Hand {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_000_000_000_000_000)))
    }

    pub(crate) fn forward(&self, time: Duration) {
        self.0.fetch_add(i64::try_from(time.as_micros()).expect("short"), Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(1, Ordering::SeqCst))
    }
}

/// A registry that is served.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) registry: Option<Registry>,
    serving: Option<net::Serving>,
    runtime: tokio::runtime::Runtime,
    pub(crate) folder: Folder,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self::with(Options { collect_every: None, ..Options::default() })
    }

    pub(crate) fn with(options: Options) -> Self {
        Self::on(Folder::new(), options)
    }

    pub(crate) fn on(folder: Folder, options: Options) -> Self {
        Self::with_tls(folder, options, None)
    }

    pub(crate) fn with_tls(folder: Folder, options: Options, tls: Option<registry::Tls>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
        let (registry, serving) = runtime.block_on(async {
            let registry = Registry::open(&folder.0, options).expect("opened");
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
            let serving = registry.serve(listener, tls).expect("served");
            (registry, serving)
        });
        Self { address: serving.address, registry: Some(registry), serving: Some(serving), runtime, folder }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    pub(crate) fn collect(&self) -> registry::Collected {
        let registry = self.registry.as_ref().expect("open");
        self.runtime.block_on(registry.collect()).expect("collected")
    }

    /// Ends it, as a restart does, and gives back its folder.
    pub(crate) fn stop(mut self) -> Folder {
        self.end();
        std::mem::replace(&mut self.folder, Folder(PathBuf::from("/nonexistent/gone")))
    }

    fn end(&mut self) {
        if let Some(serving) = self.serving.take() {
            self.runtime.block_on(serving.drain(Duration::from_millis(200)));
        }
        drop(self.registry.take());
        // Tasks that end with the runtime hold the store; the folder is free once nobody does.
        let spare = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        std::mem::replace(&mut self.runtime, spare).shutdown_timeout(Duration::from_secs(10));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// Status and code of a refusal, which is in the form that the spec gives it.
    pub(crate) fn refusal(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        let code = self.json()["errors"][0]["code"].as_str().unwrap_or_default().to_owned();
        (self.status, code)
    }

    /// A status, and an end of what is awaited.
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}

/// Asks over one connection, which is opened again when it was closed.
pub(crate) struct Client {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
    /// Sent with each request.
    pub(crate) headers: Vec<(String, String)>,
}

pub(crate) type Asked = std::io::Result<Answer>;

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, stream: None, headers: Vec::new() }
    }

    pub(crate) fn with_user(mut self, user: &str, password: &str) -> Self {
        use base64::Engine;
        let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        self.headers.push(("Authorization".to_owned(), format!("Basic {encoded}")));
        self
    }

    pub(crate) fn ask(&mut self, method: &str, path: &str) -> Answer {
        self.send(method, path, &[], b"")
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_send(method, path, headers, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    pub(crate) fn try_send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Asked {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            head += &format!("{name}: {value}\r\n");
        }
        let named = |wanted: &str| headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
        if !named("host") {
            head += &format!("Host: {}\r\n", self.address);
        }
        if !named("content-length") && !named("transfer-encoding") {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        let stream = self.connect()?;
        stream.get_mut().write_all(head.as_bytes())?;
        stream.get_mut().write_all(b"\r\n")?;
        // A refusal may come before the body was taken.
        let _ = stream.get_mut().write_all(body);
        let answer = read(stream, method == "HEAD");
        if answer.as_ref().map_or(true, |answer| answer.header("connection") == "close") {
            self.stream = None;
        }
        answer
    }

    /// The connection as it is, for who writes half a request.
    pub(crate) fn raw(&mut self) -> TcpStream {
        TcpStream::connect(self.address).expect("connected")
    }

    fn connect(&mut self) -> std::io::Result<&mut BufReader<TcpStream>> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(60)))?;
            self.stream = Some(BufReader::new(stream));
        }
        self.stream.as_mut().ok_or_else(|| std::io::ErrorKind::NotConnected.into())
    }

    /// Pushes a blob with one request.
    pub(crate) fn push(&mut self, repository: &str, content: &[u8]) -> String {
        let digest = digest(content);
        self.send("POST", &format!("/v2/{repository}/blobs/uploads/?digest={digest}"), &[], content).expect(201);
        digest
    }

    /// Pushes an image with one layer.
    pub(crate) fn push_image(&mut self, repository: &str, tag: &str, layer: &[u8]) -> String {
        let config = self.push(repository, b"{}");
        let blob = self.push(repository, layer);
        let manifest = image(&[(&config, 2), (&blob, layer.len())], "");
        self.put(repository, tag, &manifest).expect(201).header("docker-content-digest").to_owned()
    }

    pub(crate) fn put(&mut self, repository: &str, reference: &str, manifest: &[u8]) -> Answer {
        let kind = serde_json::from_slice::<Value>(manifest).ok().and_then(|it| it["mediaType"].as_str().map(str::to_owned));
        let kind = kind.unwrap_or_else(|| IMAGE.to_owned());
        self.send("PUT", &format!("/v2/{repository}/manifests/{reference}"), &[("Content-Type", &kind)], manifest)
    }
}

pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A manifest: configuration first, then layers; and whatever else, with a comma before it.
pub(crate) fn image(blobs: &[(&str, usize)], more: &str) -> Vec<u8> {
    let described: Vec<String> = blobs
        .iter()
        .map(|(digest, size)| format!(r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{digest}","size":{size}}}"#))
        .collect();
    let (config, layers) = described.split_first().expect("a configuration");
    format!(r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{config},"layers":[{}]{more}}}"#, layers.join(",")).into_bytes()
}

/// An index of manifests.
pub(crate) fn index(manifests: &[&str], more: &str) -> Vec<u8> {
    let described: Vec<String> =
        manifests.iter().map(|digest| format!(r#"{{"mediaType":"{IMAGE}","digest":"{digest}","size":1}}"#)).collect();
    format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]{more}}}"#, described.join(",")).into_bytes()
}

pub(crate) fn digest(content: &[u8]) -> String {
    Digest::of(Algorithm::Sha256, content).to_string()
}

fn read(stream: &mut BufReader<TcpStream>, head_only: bool) -> Asked {
    let mut line = String::new();
    let mut next = |stream: &mut BufReader<TcpStream>| -> std::io::Result<String> {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    };
    let first = next(stream)?;
    let status = first.split(' ').nth(1).and_then(|text| text.parse().ok()).ok_or(std::io::ErrorKind::InvalidData)?;
    let mut headers = Vec::new();
    loop {
        let text = next(stream)?;
        let Some((name, value)) = text.split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut answer = Answer { status, headers, body: Vec::new() };
    let length = answer.header("content-length").parse().unwrap_or(0);
    if !head_only && status != 204 && status != 304 {
        stream.by_ref().take(length).read_to_end(&mut answer.body)?;
        if answer.body.len() as u64 != length {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(answer)
}
