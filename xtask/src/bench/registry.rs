//! The registry beside Debian's docker-registry, and zot where it is installed: small blobs, large layers, an image by crane.

use super::Bench;
use super::site::{self, Site};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(super) const BENCH: Bench = Bench {
    name: "registry",
    about: "2 KiB blobs pushed by 16 and by 64 connections, 5 layers of 40 MB pushed and pulled side by side, the same as an image by\n\
        crane (where it is installed); `wharf registry serve`, which syncs before it answers, docker-registry and (where it is\n\
        installed) zot, which do not, take turns (crates/registry/examples/push.rs is the client). Needs docker-registry",
    run,
};

const ROUNDS: usize = 5;
const LAYERS: &str = "5";
const MEGABYTES: &str = "40";

fn run(site: &Site) -> Result<(), String> {
    site::need(&["docker-registry"])?;
    let load = site::example("registry", "push")?;
    let mut peers = vec![Peer::ours(site)?, Peer::docker(&site.folder().join("docker-registry"))?];
    if site::has("zot") {
        peers.push(Peer::zot(&site.folder().join("zot"))?);
    } else {
        println!("skipped: zot");
    }
    for connections in ["16", "64"] {
        for (requests, what) in [("twice", "POST and PUT"), ("once", "one POST")] {
            let mut figures = Figures::default();
            for _ in 0..ROUNDS {
                for peer in &peers {
                    // docker-registry knows no push with one request.
                    let requests = if peer.name == "docker-registry" { "twice" } else { requests };
                    figures.add(peer, ask(&load, peer, &["blobs", connections, peer.blobs, requests])?[0]);
                }
            }
            figures.print(&format!("2 KiB blobs/s, {connections} connections, {what}"));
        }
    }
    layers(&load, &peers)?;
    crane(site, &load, &peers)
}

fn layers(load: &Path, peers: &[Peer]) -> Result<(), String> {
    let (mut push, mut pull) = (Figures::default(), Figures::default());
    for _ in 0..ROUNDS {
        for peer in peers {
            let figures = ask(load, peer, &["layers", LAYERS, MEGABYTES])?;
            push.add(peer, figures[0]);
            pull.add(peer, figures[1]);
        }
    }
    push.print("5 x 40 MB pushed side by side, MB/s");
    pull.print("5 x 40 MB pulled side by side, MB/s");
    Ok(())
}

fn crane(site: &Site, load: &Path, peers: &[Peer]) -> Result<(), String> {
    if !site::has("crane") {
        println!("skipped: crane, so that no image is pushed as its users push it");
        return Ok(());
    }
    let ours = &peers[0].address;
    let layout = site.folder().join("image");
    let pulled = format!("{ours}/bench/load:v1");
    let (mut push, mut pull) = (Figures::default(), Figures::default());
    for round in 0..ROUNDS {
        // Contents that are new: zot knows those of its other repositories and takes none of them again.
        site::said(Command::new(load).args([ours, "image", LAYERS, MEGABYTES]))?;
        let _ = std::fs::remove_dir_all(&layout);
        site::said(Command::new("crane").args(["pull", "--insecure", "--format", "oci", &pulled]).arg(&layout))?;
        for peer in peers {
            let name = format!("{}/bench/crane-{round}:v1", peer.address);
            push.add(peer, rate(Command::new("crane").args(["push", "--insecure"]).arg(&layout).arg(&name))?);
            let to = site.folder().join("pulled");
            let _ = std::fs::remove_dir_all(&to);
            pull.add(peer, rate(Command::new("crane").args(["pull", "--insecure", "--format", "oci", &name]).arg(&to))?);
        }
    }
    push.print("an image of 5 x 40 MB pushed by crane, MB/s");
    pull.print("the same pulled by crane, MB/s");
    Ok(())
}

/// Megabytes a second of a command that moves the image.
fn rate(command: &mut Command) -> Result<f64, String> {
    let begun = Instant::now();
    site::said(command)?;
    Ok(200.0 / begun.elapsed().as_secs_f64())
}

/// The figures that a run of the client prints: one, or two.
fn ask(load: &Path, peer: &Peer, arguments: &[&str]) -> Result<[f64; 2], String> {
    let said = site::said(Command::new(load).arg(&peer.address).args(arguments))?;
    let mut figures = said.split_whitespace().map(str::parse);
    let first = figures.next().and_then(Result::ok).ok_or_else(|| format!("the client said `{said}`"))?;
    Ok([first, figures.next().and_then(Result::ok).unwrap_or(f64::NAN)])
}

/// What each peer reached, in the order of their first turns; ours is the first.
#[derive(Default)]
struct Figures(Vec<(&'static str, Vec<f64>)>);

impl Figures {
    fn add(&mut self, peer: &Peer, figure: f64) {
        match self.0.iter_mut().find(|(name, _)| *name == peer.name) {
            Some((_, figures)) => figures.push(figure),
            None => self.0.push((peer.name, vec![figure])),
        }
    }

    fn print(self, what: &str) {
        let medians: Vec<(&str, f64)> = self.0.into_iter().map(|(name, figures)| (name, site::median(figures))).collect();
        let Some(((_, ours), others)) = medians.split_first() else { return };
        let others = others.iter().map(|(name, theirs)| format!("; {name} {theirs:.0}, wharf/{name} {:.2}", ours / theirs));
        println!("{what}: wharf {ours:.0}{}", others.collect::<String>());
    }
}

/// A registry that runs; it ends when dropped.
struct Peer {
    name: &'static str,
    /// So many small ones at a time: each takes a few seconds for its own.
    blobs: &'static str,
    child: Child,
    address: String,
}

impl Peer {
    fn ours(site: &Site) -> Result<Self, String> {
        let mut command = Command::new(site.wharf()?);
        command.args(["--json", "registry", "serve", "--listen", "127.0.0.1:0", "--root"]).arg(site.folder().join("wharf-registry"));
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| format!("cannot run {command:?}: {error}"))?;
        let mut line = String::new();
        if let Some(output) = child.stdout.take() {
            BufReader::new(output).read_line(&mut line).map_err(|error| format!("{command:?}: {error}"))?;
        }
        let ready: Value = serde_json::from_str(&line).unwrap_or_default();
        let address = ready["ready"]["url"].as_str().and_then(|url| url.strip_prefix("http://")).map(str::to_owned);
        // Ends it should it have said something else.
        let peer = Self { name: "wharf", blobs: "20000", child, address: address.clone().unwrap_or_default() };
        if address.is_some() { Ok(peer) } else { Err(format!("{command:?} said `{line}`")) }
    }

    fn docker(folder: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot start docker-registry: {error}");
        std::fs::create_dir_all(folder).map_err(failed)?;
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map_err(failed)?;
        let config = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage:\n  cache: {{blobdescriptor: inmemory}}\n  \
             filesystem: {{rootdirectory: {}}}\nhttp: {{addr: '{free}'}}\n",
            folder.join("data").display()
        );
        let path = folder.join("config.yml");
        std::fs::write(&path, config).map_err(failed)?;
        Self::began(("docker-registry", "1600"), Command::new("docker-registry").arg("serve").arg(&path), free)
    }

    fn zot(folder: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("cannot start zot: {error}");
        std::fs::create_dir_all(folder).map_err(failed)?;
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map_err(failed)?;
        let config = json!({"distSpecVersion": "1.1.1", "storage": {"rootDirectory": folder.join("data"), "gc": false},
            "http": {"address": free.ip(), "port": free.port().to_string()}, "log": {"level": "error"}});
        let path = folder.join("config.json");
        std::fs::write(&path, config.to_string()).map_err(failed)?;
        Self::began(("zot", "3000"), Command::new("zot").arg("serve").arg(&path), free)
    }

    fn began((name, blobs): (&'static str, &'static str), command: &mut Command, address: SocketAddr) -> Result<Self, String> {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(|error| format!("cannot start {name}: {error}"))?;
        let peer = Self { name, blobs, child, address: address.to_string() };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            if begun.elapsed() > Duration::from_secs(10) {
                return Err(format!("{name} does not answer"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(peer)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
