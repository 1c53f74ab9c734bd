//! A registry that does what a test tells it, wrongly where it is told so.

#![allow(dead_code)]

use oci::manifest::{Descriptor, Index, Manifest, Platform, media};
use oci::{Digest, ImageConfig};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// The body broke off.
    pub cut: bool,
}

/// An answer.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// What `Content-Length` says, when it lies.
    pub length: Option<u64>,
    /// The connection is closed after so many bytes of the body.
    pub cut_after: Option<usize>,
    /// Sent in chunks, without a length.
    pub chunked: bool,
    /// Nothing is said for so long before the body.
    pub silence: Duration,
}

impl Answer {
    pub fn new(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

type Handler = dyn Fn(&Asked, &Log) -> Answer + Send + Sync;

/// What was asked so far; the request being answered is the last.
pub type Log = Vec<Asked>;

pub struct Fake {
    pub port: u16,
    log: Arc<Mutex<Log>>,
}

impl Fake {
    pub fn start(handler: impl Fn(&Asked, &Log) -> Answer + Send + Sync + 'static) -> Self {
        Self::with_body_limit(usize::MAX, handler)
    }

    /// The first body that is longer than the limit breaks off there, and its connection with it.
    pub fn with_body_limit(limit: usize, handler: impl Fn(&Asked, &Log) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        let port = listener.local_addr().expect("address").port();
        let log: Arc<Mutex<Log>> = Arc::default();
        let (kept, handler): (_, Arc<Handler>) = (log.clone(), Arc::new(handler));
        let limit = Arc::new(Mutex::new(limit));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, handler, limit) = (log.clone(), handler.clone(), limit.clone());
                std::thread::spawn(move || connection(&stream, &log, &*handler, &limit));
            }
        });
        Self { port, log: kept }
    }

    pub fn name(&self, rest: &str) -> oci::Reference {
        format!("127.0.0.1:{}/{rest}", self.port).parse().expect("reference")
    }

    pub fn log(&self) -> Log {
        self.log.lock().expect("log").clone()
    }

    pub fn count(&self, method: &str, part: &str) -> usize {
        self.log().iter().filter(|asked| asked.method == method && asked.path.contains(part)).count()
    }
}

fn connection(stream: &TcpStream, log: &Mutex<Log>, handler: &Handler, limit: &Mutex<usize>) {
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read(&mut reader, limit) {
        let cut = asked.cut;
        let answer = {
            let mut log = log.lock().expect("log");
            log.push(asked.clone());
            let seen = log.clone();
            drop(log);
            handler(&asked, &seen)
        };
        if cut || !write(stream, &asked, &answer) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
            return;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>, limit: &Mutex<usize>) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|got| *got > 0)?;
    let mut words = line.split_whitespace();
    let mut asked = Asked { method: words.next()?.into(), path: words.next()?.into(), ..Asked::default() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        asked.headers.insert(name.to_ascii_lowercase(), value.trim().into());
    }
    let length = asked.headers.get("content-length").and_then(|length| length.parse::<usize>().ok());
    let chunked = asked.headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked");
    let mut left = length.unwrap_or(0);
    let mut limit = limit.lock().expect("limit");
    loop {
        if chunked {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            left = usize::from_str_radix(size.trim(), 16).ok()?;
        }
        let room = limit.saturating_sub(asked.body.len());
        let mut part = vec![0; left.min(room)];
        reader.read_exact(&mut part).ok()?;
        asked.body.extend(part);
        if left > room {
            asked.cut = true;
            *limit = usize::MAX;
            return Some(asked);
        }
        if !chunked {
            return Some(asked);
        }
        reader.read_line(&mut String::new()).ok()?;
        if left == 0 {
            return Some(asked);
        }
    }
}

/// Whether the connection goes on.
fn write(mut stream: &TcpStream, asked: &Asked, answer: &Answer) -> bool {
    let mut head = format!("HTTP/1.1 {} X\r\n", answer.status);
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if answer.chunked {
        head += "Transfer-Encoding: chunked\r\n";
    } else if answer.status != 204 {
        head += &format!("Content-Length: {}\r\n", answer.length.unwrap_or(answer.body.len() as u64));
    }
    head += "\r\n";
    if stream.write_all(head.as_bytes()).is_err() {
        return false;
    }
    std::thread::sleep(answer.silence);
    if asked.method == "HEAD" || answer.status == 204 {
        return true;
    }
    let body = &answer.body[..answer.cut_after.unwrap_or(answer.body.len()).min(answer.body.len())];
    let sent = if answer.chunked {
        body.chunks(10_000).all(|part| {
            write!(stream, "{:x}\r\n", part.len()).and_then(|()| stream.write_all(part)).and_then(|()| stream.write_all(b"\r\n")).is_ok()
        }) && (answer.cut_after.is_some() || stream.write_all(b"0\r\n\r\n").is_ok())
    } else {
        stream.write_all(body).is_ok()
    };
    sent && answer.cut_after.is_none() && answer.length.is_none()
}

/// An image as a registry holds it.
#[derive(Clone)]
pub struct Held {
    pub manifest: Vec<u8>,
    pub config: Vec<u8>,
    pub blobs: Vec<Vec<u8>>,
    pub layers: Vec<Digest>,
}

/// One whose layers are these archives, as they are sent.
pub fn held(archives: &[&[u8]], packed: &[Vec<u8>], media_type: &str) -> Held {
    let mut config = ImageConfig { architecture: "amd64".into(), os: "linux".into(), ..Default::default() };
    config.rootfs.diff_ids = archives.iter().map(|archive| oci::DiffId(Digest::of(archive))).collect();
    let (id, config) = config.to_bytes().expect("config");
    let layers: Vec<_> = packed.iter().map(|blob| Descriptor::new(media_type, Digest::of(blob), blob.len() as u64)).collect();
    let digests = layers.iter().map(|layer| layer.digest).collect();
    let manifest = Manifest::new(Descriptor::new(media::CONFIG, id.0, config.len() as u64), layers).to_bytes().expect("manifest").1;
    Held { manifest, config, blobs: packed.to_vec(), layers: digests }
}

pub fn index(entries: &[(&Held, &str, &str)]) -> Vec<u8> {
    let described = entries.iter().map(|(held, os, architecture)| {
        let mut one = Descriptor::new(media::MANIFEST, Digest::of(&held.manifest), held.manifest.len() as u64);
        one.platform = Some(Platform { architecture: (*architecture).into(), os: (*os).into(), variant: None });
        one
    });
    oci::canonical::to_vec(&Index::new(described.collect())).expect("index")
}

impl Held {
    /// What an honest registry answers.
    pub fn answer(&self, asked: &Asked) -> Answer {
        if asked.path == "/v2/" {
            return Answer::new(200);
        }
        if asked.path.contains("/manifests/") {
            let digest = Digest::of(&self.manifest);
            let there = !asked.path.contains("sha256:") || asked.path.ends_with(&digest.to_string());
            return if there { document(&self.manifest, media::MANIFEST) } else { Answer::new(404) };
        }
        let wanted = asked.path.split('?').next().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
        let blob = self.blobs.iter().chain([&self.config]).find(|blob| Digest::of(blob).to_string() == wanted);
        let Some(blob) = blob else { return Answer::new(404) };
        let from =
            asked.headers.get("range").and_then(|range| range.trim_start_matches("bytes=").trim_end_matches('-').parse::<usize>().ok());
        match from {
            None => Answer::new(200).body(blob.clone()),
            Some(from) => {
                Answer::new(206).header("Content-Range", format!("bytes {from}-{}/{}", blob.len() - 1, blob.len())).body(&blob[from..])
            }
        }
    }

    pub fn is_layer(&self, asked: &Asked) -> bool {
        self.layers.iter().any(|layer| asked.path.ends_with(&layer.to_string()))
    }
}

pub fn document(bytes: &[u8], media_type: &str) -> Answer {
    Answer::new(200).header("Content-Type", media_type).header("Docker-Content-Digest", Digest::of(bytes).to_string()).body(bytes)
}
