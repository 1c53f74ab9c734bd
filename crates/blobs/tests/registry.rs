//! Pull and push with a registry that others made, and other tools as witnesses.

#![allow(clippy::print_stdout)]

#[path = "support/home.rs"]
mod home;
#[path = "support/registry.rs"]
mod registry;

use blobs::remote::{Artifact, Progress, Remote, RemoteOptions, Step};
use blobs::{Compression, Image, Store};
use home::{Home, archive, file, root};
use oci::tar::Kind;
use registry::{Registry, has, runtime};
use std::process::Command;
use std::sync::Mutex;

const COMPRESSIONS: [Compression; 2] = [Compression::Gzip, Compression::None];

fn noise(bytes: usize, seed: u32) -> &'static [u8] {
    let mut state = seed;
    let made: Vec<u8> = (0..bytes)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8 & 0x3f
        })
        .collect();
    Box::leak(made.into_boxed_slice())
}

/// An image of several layers, one of them megabytes, one of them twice.
fn sample(store: &Store, seed: u32) -> Image {
    let small = archive(&[(home::entry("etc", Kind::Folder, 0o755), b""), file("etc/name", noise(64, seed), 0o644)]);
    let large = archive(&[file("data", noise(5 << 20, seed + 1), 0o600)]);
    let other = archive(&[file("other", noise(300_000, seed + 2), 0o600)]);
    let ids: Vec<_> =
        [&small, &large, &other, &small].map(|bytes| store.layers().import(bytes.as_slice(), "layer", None).expect("layer")).into();
    let mut config = oci::ImageConfig { architecture: "amd64".into(), os: "linux".into(), ..Default::default() };
    config.rootfs.diff_ids = ids;
    store.images().put(&config).expect("image")
}

fn quiet(_: Progress) {}

#[test]
fn what_is_pushed_is_pulled_again() {
    let home = Home::new();
    let Some(registry) = root().then(|| Registry::start(&home.0, "")).flatten() else { return };
    let (store, remote) = (home.store(), Remote::new(RemoteOptions::default()));
    let image = sample(&store, 1);
    for compression in COMPRESSIONS {
        let planned = store.distribution(&image, compression).expect("planned");
        let name = registry.name(&format!("jobs/app-{compression:?}:1").to_lowercase());
        let pushed = runtime().block_on(remote.push(&store, &image, &name, &["latest".into()], compression, &quiet)).expect("pushed");
        assert_eq!(pushed.digest, planned.manifest_digest);
        assert_eq!((pushed.uploaded, pushed.skipped, pushed.mounted), (5, 0, 0), "{pushed:?}");
        let again = runtime().block_on(remote.push(&store, &image, &name, &[], compression, &quiet)).expect("again");
        assert_eq!((again.uploaded, again.uploaded_bytes, again.digest), (0, 0, pushed.digest), "{again:?}");
        let cut = Remote::new(RemoteOptions { chunk_bytes: Some(1 << 20), ..RemoteOptions::default() });
        let other_name = registry.name(&format!("cut/app-{compression:?}:1").to_lowercase());
        let fresh = Home::new();
        let same = sample(&fresh.store(), 1);
        let chunked = runtime().block_on(cut.push(&fresh.store(), &same, &other_name, &[], compression, &quiet)).expect("pushed in chunks");
        assert_eq!((chunked.digest, chunked.mounted), (pushed.digest, 0));
        for name in [name.to_string(), pushed.reference.to_string(), name.to_string().replace(":1", ":latest")] {
            let other = Home::new();
            let there = other.store();
            let reference = name.parse().expect("reference");
            let pulled = runtime().block_on(remote.pull(&there, &reference, None, &quiet)).expect("pulled");
            assert_eq!((pulled.id, &pulled.layers), (image.id, &image.layers));
            assert_eq!(there.images().resolve(&name).expect("found").id, image.id, "{name}");
            assert!(there.fsck().expect("fsck").is_empty());
            let resolved = runtime().block_on(remote.resolve(&reference)).expect("resolved");
            assert_eq!((resolved.digest, resolved.size), (pushed.digest, planned.manifest_bytes.len() as u64));
        }
    }
}

#[test]
fn only_what_is_missing_moves() {
    let home = Home::new();
    let Some(registry) = root().then(|| Registry::start(&home.0, "")).flatten() else { return };
    let (store, remote) = (home.store(), Remote::new(RemoteOptions::default()));
    let image = sample(&store, 10);
    let push =
        |to: &str| runtime().block_on(remote.push(&store, &image, &registry.name(to), &[], Compression::Gzip, &quiet)).expect("pushed");
    push("one/app:1");
    let mounted = push("two/app:1");
    assert_eq!((mounted.mounted, mounted.uploaded), (3, 2), "{mounted:?}");
    // The digest of a layer that was never packed is not known before it is sent.
    let fresh = Home::new();
    let again = fresh.store();
    let same = sample(&again, 10);
    let pushed =
        runtime().block_on(remote.push(&again, &same, &registry.name("one/app:2"), &[], Compression::Gzip, &quiet)).expect("pushed");
    assert_eq!(pushed.digest, mounted.digest);
    let steps = Mutex::new(Vec::new());
    let seen = |progress: Progress| steps.lock().expect("steps").push(progress.step);
    runtime().block_on(remote.pull(&store, &registry.name("one/app:1"), None, &seen)).expect("pulled");
    assert!(steps.lock().expect("steps").iter().all(|step| *step == Step::Present), "{steps:?}");
}

#[test]
fn other_tools_read_what_we_push_and_we_read_what_they_push() {
    let home = Home::new();
    let Some(registry) = (root() && has("skopeo")).then(|| Registry::start(&home.0, "")).flatten() else { return };
    let (store, remote) = (home.store(), Remote::new(RemoteOptions::default()));
    let image = sample(&store, 20);
    let name = registry.name("ours:1");
    let pushed = runtime().block_on(remote.push(&store, &image, &name, &[], Compression::Gzip, &quiet)).expect("pushed");
    let inspected = Command::new("skopeo")
        .args(["inspect", "--tls-verify=false", "--format", "{{.Digest}}"])
        .arg(format!("docker://{name}"))
        .output()
        .expect("skopeo");
    assert_eq!(String::from_utf8_lossy(&inspected.stdout).trim(), pushed.digest.to_string(), "{inspected:?}");
    for (at, arguments) in
        [&["--format", "v2s2"] as &[&str], &["--format", "oci"], &["--dest-compress-format", "zstd", "--format", "oci"]].iter().enumerate()
    {
        let theirs = registry.name(&format!("theirs:{at}"));
        let mut copied = Command::new("skopeo");
        copied.args(["copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false"]).args(*arguments);
        let copied = copied.arg(format!("docker://{name}")).arg(format!("docker://{theirs}")).output().expect("skopeo");
        assert!(copied.status.success(), "{copied:?}");
        let other = Home::new();
        let pulled = runtime().block_on(remote.pull(&other.store(), &theirs, None, &quiet)).expect("pulled");
        assert_eq!(pulled.layers, image.layers);
        assert!(other.store().fsck().expect("fsck").is_empty());
    }
}

#[test]
fn records_stand_beside_an_image() {
    let home = Home::new();
    let Some(registry) = root().then(|| Registry::start(&home.0, "")).flatten() else { return };
    let (store, remote) = (home.store(), Remote::new(RemoteOptions::default()));
    let image = sample(&store, 30);
    let name = registry.name("app:1");
    let pushed = runtime().block_on(remote.push(&store, &image, &name, &["2".into()], Compression::Gzip, &quiet)).expect("pushed");
    let artifact = |number: u8| Artifact {
        artifact_type: format!("application/vnd.example.kind{}", number % 2),
        media_type: "application/json".into(),
        content: format!("{{\"number\":{number}}}").into_bytes(),
        annotations: [("number".to_owned(), number.to_string())].into(),
    };
    for number in [0, 1, 2, 1] {
        runtime().block_on(remote.attach(&name, &artifact(number))).expect("attached");
    }
    for subject in [&name, &pushed.reference] {
        assert_eq!(runtime().block_on(remote.referrers(subject, None)).expect("all").len(), 3);
        let listed = runtime().block_on(remote.referrers(subject, Some("application/vnd.example.kind1"))).expect("one kind");
        assert_eq!(listed.len(), 1);
        assert_eq!(runtime().block_on(remote.artifact(subject, &listed[0], 1 << 20)).expect("content"), artifact(1).content);
    }
    let other = oci::Reference { digest: Some(oci::Digest::of(b"other")), ..registry.name("planned:1") };
    let error = runtime().block_on(remote.push(&store, &image, &other, &[], Compression::Gzip, &quiet)).expect_err("not what was planned");
    assert!(error.to_string().contains("should have the digest") && runtime().block_on(remote.tags(&other)).is_err(), "{error}");
    let tags = runtime().block_on(remote.tags(&name)).expect("tags");
    assert!(["1", "2"].iter().all(|tag| tags.iter().any(|known| known == tag)), "{tags:?}");
    assert!(runtime().block_on(remote.tags(&registry.name("none"))).expect_err("no repository").is_missing());
    let none = registry.name("app:none");
    assert!(runtime().block_on(remote.attach(&none, &artifact(0))).expect_err("no image").is_missing());
}
