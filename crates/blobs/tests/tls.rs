//! Registries behind TLS, passwords and proxies.

#![allow(clippy::print_stdout)]

#[path = "support/home.rs"]
mod home;
#[path = "support/registry.rs"]
mod registry;

use blobs::remote::{Credential, Credentials, Greeting, Progress, Remote, RemoteError, RemoteOptions, Secret};
use blobs::{BlobError, Compression};
use home::{Home, archive, file, image, root};
use net::client::Proxies;
use registry::{Registry, has, runtime};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn quiet(_: Progress) {}

struct Known(&'static str);

impl Credentials for Known {
    fn of(&self, _: &str) -> Result<Option<Credential>, BlobError> {
        Ok(Some(Credential::Password { user: "me".into(), password: Secret::new(self.0) }))
    }
}

/// A certificate for `registry.test`, made by the tool that everybody has.
fn certificate(folder: &Path) -> Option<(String, String)> {
    let (key, certificate) = (folder.join("key.pem"), folder.join("cert.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=registry.test"])
        .args(["-addext", "subjectAltName=DNS:registry.test,DNS:localhost"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output();
    if !made.is_ok_and(|made| made.status.success()) {
        println!("skipped: openssl");
        return None;
    }
    Some((key.display().to_string(), certificate.display().to_string()))
}

#[test]
fn passwords_are_asked_for_and_tried() {
    let home = Home::new();
    if !root() || !has("htpasswd") {
        return;
    }
    let passwords = Command::new("htpasswd").args(["-Bbn", "me", "hunter2"]).output().expect("htpasswd").stdout;
    std::fs::write(home.0.join("htpasswd"), passwords).expect("written");
    let auth = format!("auth:\n  htpasswd:\n    realm: x\n    path: {}\n", home.0.join("htpasswd").display());
    let Some(registry) = Registry::start(&home.0, &auth) else { return };
    let store = home.store();
    let layer = store.layers().import(archive(&[file("a", b"1", 0o644)]).as_slice(), "test", None).expect("layer");
    let image = image(&store, &[layer], "a");
    let (name, host) = (registry.name("x:1"), format!("127.0.0.1:{}", registry.port));
    let with = |credentials: Arc<dyn Credentials>| Remote::new(RemoteOptions { credentials, ..RemoteOptions::default() });
    let push = |remote: &Remote| runtime().block_on(remote.push(&store, &image, &name, &[], Compression::Gzip, &quiet));
    let error = push(&Remote::new(RemoteOptions::default())).expect_err("anonymous");
    assert!(matches!(error, RemoteError::Login { .. }) && error.hint().is_some_and(|hint| hint.contains("wharf login")), "{error}");
    let error = push(&with(Arc::new(Known("wrong-secret")))).expect_err("wrong");
    assert!(matches!(error, RemoteError::Login { .. }) && !format!("{error:?}").contains("wrong-secret"), "{error}");
    push(&with(Arc::new(Known("hunter2")))).expect("pushed");
    runtime().block_on(with(Arc::new(Known("hunter2"))).pull(&Home::new().store(), &name, None, &quiet)).expect("pulled");
    let login = |password: &str| {
        let credential = Credential::Password { user: "me".into(), password: Secret::new(password) };
        runtime().block_on(Remote::new(RemoteOptions::default()).login(&host, &credential))
    };
    assert_eq!(login("hunter2").expect("welcome"), Greeting::Welcome);
    assert!(matches!(login("no"), Err(RemoteError::Login { .. })));
}

#[test]
fn a_certificate_is_checked_unless_somebody_said_not_to() {
    let home = Home::new();
    let Some((key, certificate)) = root().then(|| certificate(&home.0)).flatten() else { return };
    let tls = format!("  tls:\n    certificate: {certificate}\n    key: {key}\n");
    let Some(registry) = Registry::start(&home.0, &tls) else { return };
    let store = home.store();
    let layer = store.layers().import(archive(&[file("a", b"1", 0o644)]).as_slice(), "test", None).expect("layer");
    let image = image(&store, &[layer], "a");
    // On this machine nobody asks for a certificate that is trusted.
    runtime()
        .block_on(Remote::new(RemoteOptions::default()).push(&store, &image, &registry.name("x:1"), &[], Compression::None, &quiet))
        .expect("pushed");
    // By a name that is not this machine's, through a proxy, as names are not to be had here.
    let proxy = Proxy::start(registry.port);
    let name = format!("registry.test:{}/x:1", registry.port).parse().expect("reference");
    let pull = |options: RemoteOptions| {
        let proxies = Proxies { https: Some(format!("http://you:pass@127.0.0.1:{}", proxy.port)), ..Proxies::default() };
        runtime().block_on(Remote::new(RemoteOptions { proxies, ..options }).pull(&Home::new().store(), &name, None, &quiet))
    };
    let error = pull(RemoteOptions::default()).expect_err("nobody vouches for it");
    assert!(error.is_unreachable() && error.hint().is_some_and(|hint| hint.contains("registries.insecure")), "{error}");
    let authorities = vec![std::fs::read_to_string(&certificate).expect("certificate")];
    assert_eq!(pull(RemoteOptions { authorities: authorities.clone(), ..RemoteOptions::default() }).expect("trusted").id, image.id);
    let other = format!("other.test:{}/x:1", registry.port).parse().expect("reference");
    let proxies = Proxies { https: Some(format!("http://you:pass@127.0.0.1:{}", proxy.port)), ..Proxies::default() };
    let options = RemoteOptions { authorities, proxies, ..RemoteOptions::default() };
    let error = runtime().block_on(Remote::new(options).pull(&Home::new().store(), &other, None, &quiet)).expect_err("another name");
    assert!(error.to_string().contains("certificate"), "{error}");
    let insecure = vec![format!("registry.test:{}", registry.port)];
    assert_eq!(pull(RemoteOptions { insecure, ..RemoteOptions::default() }).expect("not checked").id, image.id);
    assert!(proxy.seen.load(Ordering::SeqCst) >= 3);
}

/// A proxy that knows CONNECT, and takes every name for this machine.
struct Proxy {
    port: u16,
    seen: Arc<AtomicUsize>,
}

impl Proxy {
    fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        let (port, seen) = (listener.local_addr().expect("address").port(), Arc::new(AtomicUsize::new(0)));
        let count = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let count = count.clone();
                std::thread::spawn(move || tunnel(stream, to, &count));
            }
        });
        Self { port, seen }
    }
}

fn tunnel(mut stream: TcpStream, to: u16, seen: &AtomicUsize) {
    let mut reader = BufReader::new(stream.try_clone().expect("clone"));
    let (mut connect, mut rights) = (String::new(), false);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        rights |= line.trim() == "Proxy-Authorization: Basic eW91OnBhc3M=";
        if connect.is_empty() {
            connect = line.clone();
        }
        if line == "\r\n" {
            break;
        }
    }
    assert!(connect.contains(".test:") && rights, "{connect}");
    seen.fetch_add(1, Ordering::SeqCst);
    let mut server = TcpStream::connect(("127.0.0.1", to)).expect("server");
    let _ = stream.write_all(b"HTTP/1.1 200 Go\r\n\r\n");
    let (mut from, mut back) = (server.try_clone().expect("clone"), stream.try_clone().expect("clone"));
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut back);
        let _ = back.shutdown(std::net::Shutdown::Both);
    });
    let _ = std::io::copy(&mut stream, &mut server);
    let _ = server.shutdown(std::net::Shutdown::Both);
}
