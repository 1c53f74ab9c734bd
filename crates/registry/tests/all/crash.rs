//! SIGKILL at any moment of pushes, removals and collection: what was acknowledged is there, and nothing is damaged.

use crate::client::{Client, Folder, digest};
use registry::{Limits, Options, Policy, Registry};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const FOLDER: &str = "WHARF_TEST_REGISTRY";
const ROUNDS: u32 = 12;
/// Of the process that is killed.
pub(crate) const UPLOAD_MEMORY: usize = 4 << 20;

/// The process that is killed; by itself this test does nothing.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("runtime");
    runtime.block_on(async {
        let policy = Policy { grace: Duration::from_secs(10), untagged: Some(Duration::from_secs(10)), ..Policy::default() };
        let every = Some(Duration::from_millis(50));
        let limits = Limits { upload_memory: UPLOAD_MEMORY, ..Limits::default() };
        let options = Options { limits, policy, collect_every: every, segment_bytes: 512 << 10, ..Options::default() };
        let registry = Registry::open(folder.as_ref(), options).expect("opened");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let serving = registry.serve(listener, None).expect("served");
        #[allow(clippy::print_stdout)]
        {
            println!("\naddress {}", serving.address);
        }
        std::future::pending::<()>().await;
    });
}

pub(crate) fn start(folder: &Folder) -> (Child, SocketAddr) {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["crash::child", "--exact", "--nocapture"])
        .env(FOLDER, &folder.0)
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let lines = BufReader::new(child.stdout.take().expect("output")).lines();
    let address = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("address ")?.parse().ok());
    (child, address.expect("ready"))
}

/// What is known of a tag: its manifest, or that it is gone; nothing when the last request was not answered.
type Known = BTreeMap<(String, String), Option<(String, Vec<u8>)>>;

/// Pushes and removes until the connection breaks.
fn push(address: SocketAddr, round: u32, pusher: u32, until: Instant) -> Known {
    let mut client = Client::new(address);
    let mut known = Known::new();
    let repository = format!("r{}", pusher % 2);
    for number in 0.. {
        if Instant::now() > until {
            break;
        }
        let tag = format!("t{round}-{pusher}-{}", number / 2);
        let name = (repository.clone(), tag.clone());
        let before = known.remove(&name);
        let done = if number % 2 == 1 && number % 3 == 0 {
            remove(&mut client, &repository, &tag).map(|()| None)
        } else {
            let layer = [round.to_le_bytes(), pusher.to_le_bytes(), (number / 4_u32).to_le_bytes()].concat();
            let layer = layer.repeat(if number % 7 == 0 { 12_000 } else { 100 });
            image(&mut client, &repository, &tag, &layer).map(|manifest| Some((manifest, layer)))
        };
        let Some(now) = done else {
            drop(before);
            break;
        };
        known.insert(name, now);
    }
    known
}

fn sent(client: &mut Client, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8], expected: u16) -> Option<()> {
    let answer = client.try_send(method, path, headers, body).ok()?;
    assert_eq!(answer.status, expected, "{method} {path}: {}", String::from_utf8_lossy(&answer.body));
    Some(())
}

fn image(client: &mut Client, repository: &str, tag: &str, layer: &[u8]) -> Option<String> {
    for content in [b"{}".as_slice(), layer] {
        let path = format!("/v2/{repository}/blobs/uploads/?digest={}", digest(content));
        sent(client, "POST", &path, &[], content, 201)?;
    }
    let manifest = crate::client::image(&[(&digest(b"{}"), 2), (&digest(layer), layer.len())], "");
    let kind = [("Content-Type", crate::client::IMAGE)];
    sent(client, "PUT", &format!("/v2/{repository}/manifests/{tag}"), &kind, &manifest, 201)?;
    Some(digest(&manifest))
}

fn remove(client: &mut Client, repository: &str, tag: &str) -> Option<()> {
    sent(client, "DELETE", &format!("/v2/{repository}/manifests/{tag}"), &[], b"", 202)
}

fn check(address: SocketAddr, known: &Known) {
    let mut client = Client::new(address);
    for ((repository, tag), expected) in known {
        let answer = client.ask("GET", &format!("/v2/{repository}/manifests/{tag}"));
        let Some((manifest, layer)) = expected else {
            assert_eq!(answer.status, 404, "{repository}:{tag} was removed");
            continue;
        };
        assert_eq!(answer.status, 200, "{repository}:{tag} was acknowledged");
        assert_eq!(answer.header("docker-content-digest"), manifest);
        let blob = client.ask("GET", &format!("/v2/{repository}/blobs/{}", digest(layer)));
        assert!(blob.status == 200 && blob.body == *layer, "{repository}:{tag}: its layer");
    }
}

#[test]
fn whatever_was_acknowledged_outlives_a_kill() {
    let folder = Folder::new();
    let mut known = Known::new();
    let mut dice = 0x2545_f491_4f6c_dd1d_u64 ^ u64::from(std::process::id());
    for round in 0..ROUNDS {
        let (mut child, address) = start(&folder);
        check(address, &known);
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let life = Duration::from_millis(30 + (dice >> 33) % 700);
        let pushed = std::thread::scope(|scope| {
            let until = Instant::now() + life * 4;
            let pushers: Vec<_> = (0..4).map(|pusher| scope.spawn(move || push(address, round, pusher, until))).collect();
            std::thread::sleep(life);
            child.kill().expect("killed");
            child.wait().expect("gone");
            pushers.into_iter().flat_map(|pusher| pusher.join().expect("pushed")).collect::<Known>()
        });
        known.extend(pushed);
        let report = registry::fsck(&folder.0).expect("read");
        assert_eq!(report.problems, Vec::<String>::new(), "round {round}");
    }
    let (mut child, address) = start(&folder);
    check(address, &known);
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert!(known.len() > 20, "only {} were pushed", known.len());
}
