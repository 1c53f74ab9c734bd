//! Loads a registry as fast as it takes it: `push ADDRESS blobs CONNECTIONS COUNT once|twice` pushes blobs of 2 KiB with one
//! request or with two each, `push ADDRESS layers COUNT MB` pushes large ones side by side, then pulls them, and
//! `push ADDRESS image COUNT MB` leaves an image of such layers as `bench/load:v1`.
#![allow(clippy::print_stdout)]

use registry::digest::{Algorithm, Digest};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

type Failed = Box<dyn std::error::Error + Send + Sync>;

const REPOSITORY: &str = "bench/load";

fn main() -> Result<(), Failed> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [address, "blobs", connections, count, requests] => blobs(address, connections.parse()?, count.parse()?, *requests == "once"),
        [address, "layers", count, megabytes] => layers(address, count.parse()?, megabytes.parse()?),
        [address, "image", count, megabytes] => image(address, count.parse()?, megabytes.parse()?),
        _ => Err("expected ADDRESS blobs CONNECTIONS COUNT once|twice, or ADDRESS layers|image COUNT MB".into()),
    }
}

/// One connection that is kept.
struct Client {
    stream: BufReader<TcpStream>,
}

struct Answer {
    status: u16,
    location: String,
    length: usize,
}

impl Client {
    fn connect(address: &str) -> Result<Self, Failed> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(256 << 10, stream) })
    }

    fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> Result<Answer, Failed> {
        self.send(method, path, "application/octet-stream", body)
    }

    /// Sends a request; its body with the head in one piece when it is small.
    fn send(&mut self, method: &str, path: &str, kind: &str, body: &[u8]) -> Result<Answer, Failed> {
        let length = body.len();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
        let mut bytes = head.into_bytes();
        let stream = self.stream.get_mut();
        if body.len() < 16 << 10 {
            bytes.extend_from_slice(body);
            stream.write_all(&bytes)?;
        } else {
            stream.write_all(&bytes)?;
            stream.write_all(body)?;
        }
        let mut answer = Answer { status: 0, location: String::new(), length: 0 };
        let mut line = String::new();
        loop {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                return Err("the connection was closed".into());
            }
            let text = line.trim_end();
            if text.is_empty() {
                return Ok(answer);
            }
            match text.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("location") => value.trim().clone_into(&mut answer.location),
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => answer.length = value.trim().parse()?,
                _ if answer.status == 0 => answer.status = text.split(' ').nth(1).unwrap_or_default().parse()?,
                _ => {}
            }
        }
    }

    /// Reads a body to its end.
    fn rest(&mut self, length: usize) -> Result<(), Failed> {
        let copied = std::io::copy(&mut self.stream.by_ref().take(length as u64), &mut std::io::sink())?;
        if copied == length as u64 { Ok(()) } else { Err("the body was cut short".into()) }
    }

    fn push(&mut self, digest: &str, body: &[u8], once: bool) -> Result<(), Failed> {
        let uploads = format!("/v2/{REPOSITORY}/blobs/uploads/");
        let answer = if once {
            self.ask("POST", &format!("{uploads}?digest={digest}"), body)?
        } else {
            let begun = self.ask("POST", &uploads, b"")?;
            self.rest(begun.length)?;
            // Some say it with the host before it.
            let rest = begun.location.split_once("://").map_or(&*begun.location, |(_, rest)| rest);
            let path = rest.get(rest.find('/').unwrap_or(0)..).unwrap_or_default();
            let joined = if path.contains('?') { '&' } else { '?' };
            self.ask("PUT", &format!("{path}{joined}digest={digest}"), body)?
        };
        self.rest(answer.length)?;
        if answer.status == 201 { Ok(()) } else { Err(format!("status {}", answer.status).into()) }
    }
}

/// Bytes that nobody has pushed before.
fn content(number: u64, length: usize) -> Vec<u8> {
    let nanos = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let mut state = nanos ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn prepared(numbers: std::ops::Range<u64>, length: usize) -> Vec<(String, Vec<u8>)> {
    let made = numbers.map(|number| content(number, length));
    made.map(|body| (Digest::of(Algorithm::Sha256, &body).to_string(), body)).collect()
}

fn blobs(address: &str, connections: u64, count: u64, once: bool) -> Result<(), Failed> {
    let each = count / connections;
    let mut work = Vec::new();
    for number in 0..connections {
        work.push((Client::connect(address)?, prepared(number * each..(number + 1) * each, 2048)));
    }
    let begun = Instant::now();
    let threads: Vec<_> = work
        .into_iter()
        .map(|(mut client, bodies)| {
            std::thread::spawn(move || bodies.iter().try_for_each(|(digest, body)| client.push(digest, body, once)))
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| "a client panicked")??;
    }
    println!("{:.0}", (each * connections) as f64 / begun.elapsed().as_secs_f64());
    Ok(())
}

fn layers(address: &str, count: u64, megabytes: usize) -> Result<(), Failed> {
    let bodies = prepared(0..count, megabytes * 1_000_000);
    let total = (count as usize * megabytes) as f64;
    let digests: Vec<(String, usize)> = bodies.iter().map(|(digest, body)| (digest.clone(), body.len())).collect();
    let begun = Instant::now();
    let push = |(digest, body): (String, Vec<u8>)| {
        let address = address.to_owned();
        std::thread::spawn(move || Client::connect(&address)?.push(&digest, &body, false))
    };
    join(bodies.into_iter().map(push).collect())?;
    let pushed = total / begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    let pull = |(digest, length): (String, usize)| {
        let address = address.to_owned();
        std::thread::spawn(move || {
            let mut client = Client::connect(&address)?;
            let answer = client.ask("GET", &format!("/v2/{REPOSITORY}/blobs/{digest}"), b"")?;
            if (answer.status, answer.length) == (200, length) { client.rest(length) } else { Err("another length".into()) }
        })
    };
    join(digests.into_iter().map(pull).collect())?;
    println!("{pushed:.0} {:.0}", total / begun.elapsed().as_secs_f64());
    Ok(())
}

fn image(address: &str, count: u64, megabytes: usize) -> Result<(), Failed> {
    let mut client = Client::connect(address)?;
    let config = br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#;
    let named = Digest::of(Algorithm::Sha256, config).to_string();
    client.push(&named, config, false)?;
    let mut layers = Vec::new();
    for (digest, body) in prepared(0..count, megabytes * 1_000_000) {
        client.push(&digest, &body, false)?;
        let kind = "application/vnd.oci.image.layer.v1.tar+gzip";
        layers.push(format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":{}}}"#, body.len()));
    }
    let kind = "application/vnd.oci.image.manifest.v1+json";
    let config = format!(r#"{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{named}","size":{}}}"#, config.len());
    let manifest = format!(r#"{{"schemaVersion":2,"mediaType":"{kind}","config":{config},"layers":[{}]}}"#, layers.join(","));
    let answer = client.send("PUT", &format!("/v2/{REPOSITORY}/manifests/v1"), kind, manifest.as_bytes())?;
    if answer.status == 201 { Ok(()) } else { Err(format!("status {}", answer.status).into()) }
}

fn join(threads: Vec<std::thread::JoinHandle<Result<(), Failed>>>) -> Result<(), Failed> {
    threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a client panicked")?)
}
