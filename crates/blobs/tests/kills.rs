//! SIGKILL in the middle of pulls and pushes: the next one goes on from what is whole, and nothing is damaged.

#![allow(clippy::print_stdout)]

#[path = "support/home.rs"]
mod home;
#[path = "support/registry.rs"]
mod registry;

use blobs::remote::{Progress, Remote, RemoteOptions, Step};
use blobs::{Compression, Image, Store};
use home::{Home, archive, file, image, root};
use oci::Reference;
use registry::{Registry, runtime};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

const LAYERS: u32 = 6;

fn noise(bytes: usize, mut state: u32) -> &'static [u8] {
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    Box::leak((0..bytes).map(step).collect::<Vec<_>>().into_boxed_slice())
}

fn sample(store: &Store) -> Image {
    let layers = (0..LAYERS).map(|number| {
        let bytes = archive(&[file("data", noise(2 << 20, number), 0o644)]);
        store.layers().import(bytes.as_slice(), "test", None).expect("layer")
    });
    image(store, &layers.collect::<Vec<_>>(), "a")
}

fn pull(store: &Store, name: &Reference, seen: &(dyn Fn(Progress) + Sync)) -> Image {
    runtime().block_on(Remote::new(RemoteOptions::default()).pull(store, name, None, seen)).expect("pulled")
}

fn push(store: &Store, image: &Image, name: &Reference, seen: &(dyn Fn(Progress) + Sync)) -> oci::Digest {
    let remote = Remote::new(RemoteOptions::default());
    runtime().block_on(remote.push(store, image, name, &[], Compression::Gzip, seen)).expect("pushed").digest
}

/// What the child of a test does; `None` in the test itself.
fn child() -> Option<(Store, Reference)> {
    let home = PathBuf::from(std::env::var_os("WHARF_TEST_CHILD")?);
    let name = std::env::var("WHARF_TEST_NAME").expect("set").parse().expect("reference");
    Some((Store::open(&home.join("blobs")).expect("store"), name))
}

fn killed_after(test: &str, home: &Path, name: &Reference, delay_ms: u64) {
    let mut command = Command::new(std::env::current_exe().expect("own path"));
    command.args(["--exact", test]).env("WHARF_TEST_CHILD", home).env("WHARF_TEST_NAME", name.to_string());
    let mut child = command.stdout(std::process::Stdio::null()).spawn().expect("child");
    std::thread::sleep(Duration::from_millis(delay_ms));
    child.kill().expect("killed");
    child.wait().expect("child");
}

const DELAYS_MS: [u64; 7] = [10, 40, 80, 120, 180, 260, 400];

#[test]
fn a_killed_pull_is_gone_on_with() {
    if let Some((store, name)) = child() {
        pull(&store, &name, &|_| {});
        return;
    }
    let (source, home) = (Home::new(), Home::new());
    let Some(registry) = root().then(|| Registry::start(&source.0, "")).flatten() else { return };
    let name = registry.name("x:1");
    let expected = sample(&source.store());
    push(&source.store(), &expected, &name, &|_| {});
    for delay_ms in DELAYS_MS {
        killed_after("a_killed_pull_is_gone_on_with", &home.0, &name, delay_ms);
        let store = home.store();
        assert!(store.fsck().expect("fsck").is_empty());
        assert_eq!(std::fs::read_dir(store.root().join("tmp")).expect("tmp").count(), 0);
    }
    let store = home.store();
    let whole = store.layers().list().expect("list").len();
    let fetched = Mutex::new(0);
    let seen = |progress: Progress| *fetched.lock().expect("count") += usize::from(progress.step == Step::Downloaded);
    let pulled = pull(&store, &name, &seen);
    assert_eq!((pulled.id, pulled.layers.len(), *fetched.lock().expect("count")), (expected.id, LAYERS as usize, LAYERS as usize - whole));
    assert!(store.fsck().expect("fsck").is_empty());
}

#[test]
fn a_killed_push_is_gone_on_with() {
    if let Some((store, name)) = child() {
        let image = store.images().list().expect("list").remove(0);
        push(&store, &store.images().get(&image.id).expect("image"), &name, &|_| {});
        return;
    }
    let home = Home::new();
    let Some(registry) = root().then(|| Registry::start(&home.0, "")).flatten() else { return };
    let name = registry.name("x:1");
    let image = sample(&home.store());
    for delay_ms in DELAYS_MS {
        killed_after("a_killed_push_is_gone_on_with", &home.0, &name, delay_ms);
        assert!(home.store().fsck().expect("fsck").is_empty());
    }
    let store = home.store();
    let digest = push(&store, &image, &name, &|_| {});
    assert_eq!(digest, store.distribution(&image, Compression::Gzip).expect("planned").manifest_digest);
    let other = Home::new();
    assert_eq!(pull(&other.store(), &name, &|_| {}).id, image.id);
    assert!(other.store().fsck().expect("fsck").is_empty());
}

#[test]
fn a_registry_that_is_killed_and_comes_back_stops_nobody() {
    let home = Home::new();
    let Some(registry) = root().then(|| Registry::start(&home.0, "")).flatten() else { return };
    let (name, port) = (registry.name("x:1"), registry.port);
    let (store, folder) = (home.store(), home.0.clone());
    let image = sample(&store);
    let restarting = std::thread::spawn(move || {
        let mut registry = Some(registry);
        for _ in 0..2 {
            std::thread::sleep(Duration::from_millis(150));
            drop(registry.take());
            registry = Registry::on(&folder, "", port);
        }
        registry
    });
    push(&store, &image, &name, &|_| {});
    let other = Home::new();
    assert_eq!(pull(&other.store(), &name, &|_| {}).id, image.id);
    drop(restarting.join().expect("restarted"));
}
