//! Policies, pull secrets and shared pulls, with our own registry on loopback and a relay before it that counts.

#![allow(clippy::print_stdout, reason = "tests say what they skip")]

use super::*;
use blobs::Compression;
use blobs::remote::{Credential, HandedOver, Remote, RemoteOptions, Secret};
use node::{PullSecret, SecretForm};
use oci::registry::docker_config::DockerConfig;
use registry::{Options, Registry};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

const USERS: &str = "ann:$2y$04$wkeOkvgsCoRpJFknSqaBE.FDlPE7KhhGy7/rHrEhtk1s/KwuKPLCe
bob:$2y$04$HhCYBrGWQMlJc8lU2y7tPu8eJme7zO2i2y9HGOgHixlMSN5bVUCDq
";
const RIGHTS: &str = "ann ** pull push\nbob bobs/** pull\nanonymous open/** pull\n";

/// A registry, a relay before it, a store to push from, and the engine's images.
struct Place {
    home: PathBuf,
    source: Store,
    images: Arc<StoredImages>,
    host: String,
    blobs: Arc<AtomicUsize>,
    /// Each question for a blob takes a permit.
    gate: Arc<Semaphore>,
    _serving: net::Serving,
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

impl Place {
    async fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("skipped: root");
            return None;
        }
        let home = std::env::temp_dir().join(format!("wharf-pulls-{}-{}", std::process::id(), base::ids::suffix(6)));
        std::fs::create_dir_all(&home).expect("home");
        let file = |name: &str, text: &str| {
            std::fs::write(home.join(name), text).expect("written");
            Some(home.join(name))
        };
        let options = Options { collect_every: None, htpasswd: file("users", USERS), rights: file("rights", RIGHTS), ..Options::default() };
        let registry = Registry::open(&home.join("registry"), options).expect("opened");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let serving = registry.serve(listener, None).expect("served");
        let (blobs, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(10_000)));
        let relay = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let host = relay.local_addr().expect("an address").to_string();
        tokio::spawn(run_relay(relay, serving.address, blobs.clone(), gate.clone()));
        let source = Store::open(&home.join("source")).expect("store");
        let store = Arc::new(Store::open(&home.join("blobs")).expect("store"));
        let images = Arc::new(StoredImages::new(store, &home, Proxies::default()));
        Some(Self { home, source, images, host, blobs, gate, _serving: serving })
    }

    /// Pushes an image whose file says `text`; returns its digest.
    async fn push(&self, name: &str, text: &str) -> Digest {
        let image = make(&self.source, text);
        let mut config = DockerConfig::default();
        config.store(&self.host, Some(&Credential::Password { user: "ann".into(), password: Secret::new("ann-secret") }));
        let remote = Remote::new(RemoteOptions { credentials: Arc::new(HandedOver(vec![config])), ..RemoteOptions::default() });
        let reference = self.name(name).parse().expect("a name");
        remote.push(&self.source, &image, &reference, &[], Compression::Gzip, &|_| {}).await.expect("pushed").digest
    }

    fn name(&self, rest: &str) -> String {
        format!("{}/{rest}", self.host)
    }

    fn secret(&self, user: &str) -> PullSecret {
        let auths = serde_json::json!({&self.host: {"username": user, "password": format!("{user}-secret")}});
        PullSecret { name: user.into(), form: SecretForm::Auths, bytes: auths.to_string().into_bytes() }
    }

    fn ask(&self, rest: &str, policy: PullPolicy, users: &[&str]) -> ImageRequest {
        ImageRequest { image: self.name(rest), policy, secrets: users.iter().map(|user| self.secret(user)).collect() }
    }

    async fn pull(&self, rest: &str, users: &[&str]) -> Result<PulledImage, String> {
        self.images.pull(&self.ask(rest, PullPolicy::Always, users)).await.map_err(|error| error.to_string())
    }

    async fn find(&self, rest: &str, policy: PullPolicy, users: &[&str]) -> Result<Found, ImageError> {
        self.images.find(&self.ask(rest, policy, users)).await
    }

    /// What a container would read.
    fn text(image: &ResolvedImage) -> String {
        std::fs::read_to_string(image.layers[0].join("text")).expect("a file")
    }
}

async fn run_relay(listener: TcpListener, to: std::net::SocketAddr, blobs: Arc<AtomicUsize>, gate: Arc<Semaphore>) {
    while let Ok((client, _)) = listener.accept().await {
        let (blobs, gate) = (blobs.clone(), gate.clone());
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(to).await else { return };
            let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.into_split(), server.into_split());
            tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
            let mut buffer = vec![0; 64 << 10];
            while let Ok(read @ 1..) = from_client.read(&mut buffer).await {
                let head = String::from_utf8_lossy(&buffer[..read.min(512)]).into_owned();
                if head.starts_with("GET ") && head.contains("/blobs/") {
                    blobs.fetch_add(1, Ordering::SeqCst);
                    gate.acquire().await.expect("open").forget();
                }
                if to_server.write_all(&buffer[..read]).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// Says of everything that it is a manifest with this digest.
async fn run_liar(listener: TcpListener, digest: Digest) {
    while let Ok((mut client, _)) = listener.accept().await {
        let mut head = vec![0; 8 << 10];
        let read = client.read(&mut head).await.unwrap_or(0);
        let body = if head[..read].starts_with(b"HEAD") { "" } else { "{}" };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nDocker-Content-Digest: {digest}\r\nContent-Type: {}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{body}",
            oci::manifest::media::MANIFEST
        );
        let _ = client.write_all(answer.as_bytes()).await;
    }
}

fn make(store: &Store, text: &str) -> Image {
    let mut archive = Vec::new();
    let path = oci::tar::EntryPath::parse(b"text").expect("path");
    let kind = oci::tar::Kind::File { size: text.len() as u64 };
    let entry = oci::tar::Entry { path, kind, mode: 0o644, uid: 0, gid: 0, mtime: oci::tar::Mtime::default(), xattrs: Default::default() };
    oci::tar::encode_header(&entry, &mut archive);
    archive.extend_from_slice(text.as_bytes());
    archive.extend_from_slice(oci::tar::padding(text.len() as u64));
    archive.extend_from_slice(&oci::tar::END);
    let layer = store.layers().import(archive.as_slice(), "test", None).expect("layer");
    let platform = blobs::remote::host_platform();
    let mut config = oci::ImageConfig { architecture: platform.architecture, os: platform.os, ..Default::default() };
    config.rootfs.diff_ids = vec![layer];
    store.images().put(&config).expect("image")
}

fn here(found: Result<Found, ImageError>) -> ResolvedImage {
    match found {
        Ok(Found::Here(image)) => *image,
        other => panic!("it is to be here: {other:?}"),
    }
}

const POLICIES: [PullPolicy; 3] = [PullPolicy::Always, PullPolicy::IfNotPresent, PullPolicy::Never];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_this_machine_are_never_asked_for_elsewhere() {
    let Some(place) = Place::new().await else { return };
    let request = |image: &str, policy| ImageRequest { image: image.into(), policy, secrets: Vec::new() };
    let built = make(&place.images.store, "built");
    place.images.store.images().tag(&"localhost/jobs/app:1".parse().expect("a name"), &built.id).expect("tagged");
    for policy in POLICIES {
        for name in ["localhost/jobs/app:1".to_owned(), format!("localhost/jobs/app@{}", built.manifest), built.id.to_string()] {
            let found = here(place.images.find(&request(&name, policy)).await);
            assert_eq!((found.reference.clone(), found.image_id), (built.id.to_string(), built.id.to_string()), "{name} {policy:?}");
            assert_eq!(place.images.local(&found.reference).await.expect("there").layers, found.layers);
        }
        for name in ["localhost/nothing".to_owned(), format!("localhost/jobs/app@{}", Digest::of(b"x")), Digest::of(b"x").to_string()] {
            let error = place.images.find(&request(&name, policy)).await.expect_err("not there");
            assert_eq!(error.reason(), if policy == PullPolicy::Never { "ErrImageNeverPull" } else { "ErrImagePull" }, "{name} {policy:?}");
            assert!(policy == PullPolicy::Never || error.to_string().starts_with("not found: "), "{error}");
            assert!(place.images.pull(&request(&name, policy)).await.is_err());
        }
        for name in ["", "Foo", "a@sha256:1", "http://x/y"] {
            let error = place.images.find(&request(name, policy)).await.expect_err("no name");
            assert_eq!(error.reason(), "InvalidImageName", "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_secret_brought_is_for_who_has_it() {
    let Some(place) = Place::new().await else { return };
    let digest = place.push("team/app:1", "private").await;
    assert_eq!(place.find("team/app:1", PullPolicy::IfNotPresent, &[]).await, Ok(Found::Elsewhere));
    assert_eq!(place.find("team/app:1", PullPolicy::Never, &["ann"]).await.map_err(|e| e.reason()), Err("ErrImageNeverPull"));
    for users in [&[][..], &["bob"], &["carl"]] {
        let error = place.pull("team/app:1", users).await.expect_err("not for them");
        assert!(error.starts_with("unauthorized: ") && !error.contains("-secret"), "{users:?}: {error}");
    }
    let pulled = place.pull("team/app:1", &["bob", "carl", "ann"]).await.expect("the third may");
    assert_eq!(pulled.image.reference, format!("{}@{digest}", place.name("team/app")));
    assert_eq!((Place::text(&pulled.image), pulled.bytes > 0), ("private".into(), true));
    let local = place.images.local(&pulled.image.reference).await.expect("there");
    assert_eq!(local.image_id, pulled.image.image_id);
    // Here now, and not for everybody.
    for (policy, users, there) in [
        (PullPolicy::IfNotPresent, &["ann"][..], true),
        (PullPolicy::Never, &["ann"], true),
        (PullPolicy::IfNotPresent, &[], false),
        (PullPolicy::IfNotPresent, &["bob"], false),
        (PullPolicy::Never, &[], false),
        (PullPolicy::Always, &["ann"], false),
    ] {
        let found = place.find("team/app:1", policy, users).await;
        assert_eq!(matches!(found, Ok(Found::Here(_))), there, "{policy:?} {users:?}: {found:?}");
    }
    assert_eq!(here(place.find("team/app:1", PullPolicy::IfNotPresent, &["ann"]).await).reference, pulled.image.reference);
    assert!(place.pull("team/app:1", &[]).await.is_err(), "the registry is asked with one's own credentials only");
    let manifest = place.images.store.images().resolve(&pulled.image.image_id).expect("there").manifest;
    for name in [format!("localhost/any@{digest}"), format!("localhost/any@{manifest}"), pulled.image.image_id.clone()] {
        let error = place.images.find(&ImageRequest { image: name.clone(), policy: PullPolicy::Always, secrets: Vec::new() }).await;
        assert_eq!(error.map_err(|error| error.reason()), Err("ErrImagePull"), "{name}: no way around");
    }
    // Another registry that knows no more of it than its digest.
    let liar = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let name = format!("{}/any/app@{digest}", liar.local_addr().expect("an address"));
    tokio::spawn(run_liar(liar, digest));
    let request = ImageRequest { image: name, policy: PullPolicy::Always, secrets: Vec::new() };
    assert_eq!(place.images.find(&ImageRequest { policy: PullPolicy::IfNotPresent, ..request.clone() }).await, Ok(Found::Elsewhere));
    let error = place.images.pull(&request).await.expect_err("it has nothing but the digest").to_string();
    assert!(error.contains("with the digest"), "{error}");
    // The owner of the machine may give it to all.
    let id = oci::ImageId(pulled.image.image_id.parse().expect("an id"));
    place.images.store.images().tag(&"localhost/gift:1".parse().expect("a name"), &id).expect("tagged");
    here(place.images.find(&ImageRequest { image: "localhost/gift:1".into(), policy: PullPolicy::Always, secrets: Vec::new() }).await);
    // What is kept of it holds no password, and is for root alone.
    let kept = place.home.join("pulled").join(format!("{}.json", id.0.hex()));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&kept).expect("kept").permissions());
    let text = std::fs::read_to_string(&kept).expect("read");
    assert!(mode & 0o777 == 0o600 && !text.contains("ann"), "{text}");
    std::fs::write(&kept, "{").expect("written");
    assert_eq!(place.find("team/app:1", PullPolicy::IfNotPresent, &["ann"]).await, Ok(Found::Elsewhere), "what is damaged admits nobody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_anybody_may_have_and_what_was_there_before_is_for_all() {
    let Some(place) = Place::new().await else { return };
    place.push("open/app:1", "open").await;
    place.pull("open/app:1", &[]).await.expect("anybody may");
    here(place.find("open/app:1", PullPolicy::IfNotPresent, &[]).await);
    here(place.find("open/app:1", PullPolicy::IfNotPresent, &["bob"]).await);
    let loaded = make(&place.images.store, "loaded");
    place.images.store.images().tag(&place.name("team/loaded:1").parse().expect("a name"), &loaded.id).expect("tagged");
    let found = here(place.find("team/loaded:1", PullPolicy::IfNotPresent, &[]).await);
    assert_eq!(found.reference, loaded.id.to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn always_follows_a_moved_tag_and_fetches_only_what_is_new() {
    let Some(place) = Place::new().await else { return };
    let old = place.push("team/app:1", "old").await;
    let first = place.pull("team/app:1", &["ann"]).await.expect("pulled");
    let fetched = place.blobs.load(Ordering::SeqCst);
    let again = place.pull("team/app:1", &["ann"]).await.expect("again");
    assert_eq!((again.image.clone(), place.blobs.load(Ordering::SeqCst)), (first.image.clone(), fetched), "nothing is fetched twice");
    let new = place.push("team/app:1", "new").await;
    assert_ne!(old, new);
    assert_eq!(here(place.find("team/app:1", PullPolicy::IfNotPresent, &["ann"]).await), first.image);
    let moved = place.pull("team/app:1", &["ann"]).await.expect("moved");
    assert_eq!((Place::text(&moved.image).as_str(), moved.image.reference.ends_with(&new.to_string())), ("new", true));
    assert_eq!(here(place.find("team/app:1", PullPolicy::IfNotPresent, &["ann"]).await), moved.image);
    let by_digest = format!("team/app@{old}");
    let exact = here(place.find(&by_digest, PullPolicy::IfNotPresent, &["ann"]).await);
    assert_eq!((Place::text(&exact).as_str(), exact.reference), ("old", place.name(&by_digest)));
    let error = place.pull("team/none:1", &["ann"]).await.expect_err("none");
    assert!(error.starts_with("not found: "), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_who_want_it_share_one_fetch_which_goes_on_without_them() {
    let Some(place) = Place::new().await else { return };
    place.push("team/app:1", "shared").await;
    place.gate.forget_permits(10_000);
    let place = Arc::new(place);
    let begin = || {
        let place = place.clone();
        tokio::spawn(async move { place.pull("team/app:1", &["ann"]).await })
    };
    let (left, stays): (_, Vec<_>) = (begin(), (0..8).map(|_| begin()).collect());
    while place.blobs.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    left.abort();
    // While they wait, others are served.
    let error = place.images.find(&place.ask("team/app:1", PullPolicy::Never, &["ann"])).await.expect_err("not here yet");
    assert_eq!(error.reason(), "ErrImageNeverPull");
    place.gate.add_permits(10_000);
    for pull in stays {
        assert_eq!(Place::text(&pull.await.expect("ended").expect("pulled").image), "shared");
    }
    assert_eq!(place.blobs.load(Ordering::SeqCst), 2, "configuration and layer, once");
    assert_eq!(place.images.puller.under_way(), 0);

    let before = place.blobs.load(Ordering::SeqCst);
    place.push("team/app:2", "alone").await;
    place.gate.forget_permits(10_000);
    let alone = {
        let place = place.clone();
        tokio::spawn(async move { place.pull("team/app:2", &["ann"]).await })
    };
    while place.blobs.load(Ordering::SeqCst) == before {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    alone.abort();
    place.gate.add_permits(10_000);
    let begun = std::time::Instant::now();
    while !matches!(place.find("team/app:2", PullPolicy::IfNotPresent, &["ann"]).await, Ok(Found::Here(_))) {
        assert!(begun.elapsed() < Duration::from_secs(10), "a pod that went must not make its image come in vain");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_is_down_fails_who_must_ask_it_alone() {
    let Some(place) = Place::new().await else { return };
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("bound").local_addr().expect("an address");
    let name = format!("{gone}/team/app:1");
    let loaded = make(&place.images.store, "kept");
    place.images.store.images().tag(&name.parse().expect("a name"), &loaded.id).expect("tagged");
    let request = |policy| ImageRequest { image: name.clone(), policy, secrets: Vec::new() };
    here(place.images.find(&request(PullPolicy::IfNotPresent)).await);
    assert_eq!(place.images.find(&request(PullPolicy::Always)).await, Ok(Found::Elsewhere));
    let begun = std::time::Instant::now();
    let error = place.images.pull(&request(PullPolicy::Always)).await.expect_err("nobody is there").to_string();
    assert!(error.contains("is not reached") && begun.elapsed() < Duration::from_secs(8), "{:?}: {error}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mirrors_and_faults_of_projects_are_heard_at_the_next_pull() {
    let Some(place) = Place::new().await else { return };
    place.push("open/app:1", "mirrored").await;
    let request = ImageRequest { image: "127.0.0.1:1/open/app:1".into(), policy: PullPolicy::Always, secrets: Vec::new() };
    assert!(place.images.pull(&request).await.is_err());
    let mirrors = [("127.0.0.1:1".to_owned(), vec![place.host.clone()])].into();
    crate::Registries { mirrors, ..Default::default() }.tell(&place.home, "jobs").expect("told");
    let pulled = place.images.pull(&request).await.expect("by the mirror");
    assert_eq!(Place::text(&pulled.image), "mirrored");
    assert!(pulled.image.reference.starts_with("127.0.0.1:1/open/app@sha256:"), "{}", pulled.image.reference);
    std::fs::write(place.home.join("registries/jobs.json"), "no").expect("written");
    assert!(place.images.pull(&request).await.expect_err("damaged").to_string().contains("jobs.json"));
}
