//! `ADD` of addresses, and bases from elsewhere, with a server that is a table.

#![allow(clippy::print_stdout)]

#[path = "support/home.rs"]
mod home;

use blobs::Image;
use builder::{Bases, BuildError, Built, Fetch, Fetched, NamedContext, Nowhere, Unavailable, Version};
use home::Home;
use oci::{Digest, Reference};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;

/// A server: by address the content, its `ETag` and `Last-Modified`; and what was asked of it.
#[derive(Default)]
struct Server {
    files: Mutex<BTreeMap<String, (Vec<u8>, Version)>>,
    asked: Mutex<Vec<String>>,
}

impl Server {
    fn put(&self, url: &str, content: &[u8], etag: &str, modified: &str) {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let version = Version { etag: some(etag), last_modified: some(modified) };
        self.files.lock().expect("files").insert(url.to_owned(), (content.to_vec(), version));
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("asked"))
    }
}

impl Fetch for Server {
    fn fetch(&self, url: &str, known: &Version, out: &mut dyn Write) -> Result<Fetched, Unavailable> {
        let files = self.files.lock().expect("files");
        let missing = || Unavailable { message: format!("`{url}` answers 404"), hint: String::new(), is_unreachable: false };
        let (content, version) = files.get(url).ok_or_else(missing)?;
        let unchanged = *known == *version && *known != Version::default();
        self.asked.lock().expect("asked").push(format!("{}{url}", if unchanged { "unchanged " } else { "" }));
        if unchanged {
            return Ok(Fetched::Unchanged);
        }
        out.write_all(content).expect("written");
        Ok(Fetched::New(version.clone()))
    }
}

fn build(home: &Home, server: &Server, dockerfile: &str) -> Built {
    home.build_with(&home.request(dockerfile), &Nowhere, server).unwrap_or_else(|error| panic!("{dockerfile}: {error}"))
}

fn fail(home: &Home, server: &Server, dockerfile: &str) -> String {
    home.build_with(&home.request(dockerfile), &Nowhere, server).expect_err(dockerfile).to_string()
}

fn listing(home: &Home, built: &Built) -> Vec<String> {
    home.listing(&home.store.images().get(&built.image).expect("image"))
}

/// Times of the files of the last layer.
fn times(home: &Home, built: &Built) -> Vec<i64> {
    let image = home.store.images().get(&built.image).expect("image");
    let mut bytes = Vec::new();
    home.store.layers().export(image.layers.last().expect("layer"), &mut bytes).expect("exported");
    let mut reader = oci::tar::Reader::new(bytes.as_slice(), oci::tar::Limits::default());
    std::iter::from_fn(|| reader.next().expect("member")).map(|entry| entry.mtime.seconds).collect()
}

const URL: &str = "https://example.com/dir/tool%20one?x=1";

#[test]
fn what_is_fetched_is_a_file_as_docker_makes_it() {
    let (home, server) = (Home::new(), Server::default());
    server.put(URL, b"content", "\"1\"", "Wed, 21 Oct 2015 07:28:00 GMT");
    let built = build(&home, &server, &format!("FROM scratch\nADD {URL} /bin/\n"));
    assert_eq!(listing(&home, &built), ["755 0:0 bin/", "600 0:0 bin/tool one content"]);
    assert_eq!(times(&home, &built), [315_532_801, 1_445_412_480]);
    let built = build(&home, &server, &format!("FROM scratch\nARG U={URL}\nADD --chmod=a+rx --chown=5:6 --link $U /bin/renamed\n"));
    assert_eq!(listing(&home, &built), ["755 5:6 bin/", "755 5:6 bin/renamed content"]);
    assert_eq!(server.asked(), [URL.to_owned(), format!("unchanged {URL}")]);
    server.put("http://example.com", b"root", "", "");
    let error = fail(&home, &server, "FROM scratch\nADD http://example.com /bin/\n");
    assert!(error.contains("names no file"), "{error}");
    let built = build(&home, &server, "FROM scratch\nADD http://example.com /index\n");
    assert_eq!((listing(&home, &built), times(&home, &built)), (vec!["600 0:0 index root".to_owned()], vec![315_532_801]));
    let error = fail(&home, &server, "FROM scratch\nADD https://example.com/none /\n");
    assert!(error.contains("Dockerfile:2") && error.contains("answers 404"), "{error}");
    assert!(home.store.fsck().expect("fsck").is_empty());
}

#[test]
fn archives_are_unpacked_only_when_asked() {
    let (home, server) = (Home::new(), Server::default());
    home.write("a", "1");
    let tar = std::process::Command::new("tar")
        .args(["-czf", "-", "--owner=7", "--group=7", "--mtime=@99", "-C"])
        .arg(home.path.join("context"))
        .arg("a")
        .output()
        .expect("tar");
    server.put("https://example.com/x.tar.gz", &tar.stdout, "1", "");
    let built = build(&home, &server, "FROM scratch\nADD https://example.com/x.tar.gz /d/\n");
    assert!(listing(&home, &built)[1].starts_with("600 0:0 d/x.tar.gz"));
    let built = build(&home, &server, "FROM scratch\nADD --unpack https://example.com/x.tar.gz /d/\n");
    assert_eq!(listing(&home, &built), ["755 0:0 d/", "644 7:7 d/a 1"]);
}

#[test]
fn steps_are_cached_by_content_and_the_server_is_asked_each_time() {
    let (home, server) = (Home::new(), Server::default());
    let dockerfile = format!("FROM scratch\nADD {URL} /x\n");
    server.put(URL, b"one", "\"1\"", "");
    assert_eq!(build(&home, &server, &dockerfile).cached, 0);
    assert_eq!(build(&home, &server, &dockerfile).cached, 1);
    assert_eq!(server.asked(), [URL.to_owned(), format!("unchanged {URL}")]);
    server.put(URL, b"one", "\"2\"", "");
    assert_eq!(build(&home, &server, &dockerfile).cached, 1, "the same content under another tag");
    server.put(URL, b"two", "\"3\"", "");
    let changed = build(&home, &server, &dockerfile);
    assert_eq!((changed.cached, changed.steps[0].reasons.as_slice()), (0, ["changed: fetched tool one".to_owned()].as_slice()));
    // What was fetched goes with what the builder remembers, and only then.
    home.store.prune(blobs::PruneOptions::default()).expect("pruned");
    server.asked();
    assert_eq!(build(&home, &server, &dockerfile).cached, 1);
    assert_eq!(server.asked(), [format!("unchanged {URL}")]);
    home.store.prune(blobs::PruneOptions { unnamed_images: true, cache: true }).expect("pruned");
    assert_eq!(std::fs::read_dir(home.store.root().join("cache")).expect("cache").count(), 0);
    assert_eq!(build(&home, &server, &dockerfile).cached, 0);
    assert_eq!(server.asked(), [URL]);
}

#[test]
fn checksums_are_checked_and_save_the_question() {
    let (home, server) = (Home::new(), Server::default());
    server.put(URL, b"content", "", "");
    let sum = Digest::of(b"content");
    let dockerfile = |sum: &str| format!("FROM scratch\nADD --checksum={sum} {URL} /x\n");
    build(&home, &server, &dockerfile(&sum.to_string()));
    assert_eq!(server.asked(), [URL]);
    // Known by its checksum: nobody is asked, and it builds without a network.
    assert_eq!(home.build_with(&home.request(&dockerfile(&sum.to_string())), &Nowhere, &Nowhere).expect("built").cached, 1);
    // printf content | sha512sum
    let sha512 = "sha512:b2d1d285b5199c85f988d03649c37e44fd3dde01e5d69c50fef90651962f48110e9340b60d49a479c4c0b53f5f07d690686dd87d2481937a512e8b85ee7c617f";
    build(&home, &server, &dockerfile(sha512));
    let error = fail(&home, &server, &dockerfile(&format!("sha256:{}", "0".repeat(64))));
    assert!(error.contains(&format!("has the checksum {}; expected 000", sum.hex())), "{error}");
}

/// Gives one image for every name, and counts.
struct One(Image, Mutex<Vec<String>>);

impl Bases for One {
    fn find(&self, reference: &Reference) -> Result<Option<Image>, Unavailable> {
        self.1.lock().expect("asked").push(reference.to_string());
        std::thread::sleep(std::time::Duration::from_millis(50));
        Ok(Some(self.0.clone()))
    }
}

struct Offline;

impl Bases for Offline {
    fn find(&self, _: &Reference) -> Result<Option<Image>, Unavailable> {
        let message = "the registry `docker.io` cannot be reached".to_owned();
        Err(Unavailable { message, hint: "look at HTTPS_PROXY".to_owned(), is_unreachable: true })
    }
}

#[test]
fn bases_come_from_the_store_and_then_from_elsewhere() {
    let home = Home::new();
    home.write("a", "1");
    let (_, image) = home.build("FROM scratch\nCOPY a /base\n");
    let bases = One(image.clone(), Mutex::default());
    let dockerfile = "FROM some/base AS one\nCOPY a /one\nFROM some/base\nCOPY --from=one /one /\nCOPY --from=other:2 /base /copy\n";
    let request = home.request(dockerfile);
    let built = home.build_with(&request, &bases, &Nowhere).expect("built");
    assert_eq!(listing(&home, &built), ["644 0:0 base 1", "644 0:0 one 1", "644 0:0 copy 1"]);
    let mut asked = std::mem::take(&mut *bases.1.lock().expect("asked"));
    asked.sort();
    assert_eq!(asked, ["docker.io/library/other:2", "docker.io/some/base:latest"], "each once");
    for name in ["some/base", "other:2"] {
        home.store.images().tag(&name.parse().expect("name"), &image.id).expect("tagged");
    }
    home.build_with(&request, &Offline, &Nowhere).expect("nobody is asked for what is here");
    let mut pull = request.clone();
    pull.pull = true;
    home.build_with(&pull, &bases, &Nowhere).expect("built");
    assert_eq!(bases.1.lock().expect("asked").len(), 2, "asked although it is here");
    let Err(BuildError::Step(step)) = home.build_with(&pull, &Offline, &Nowhere) else { panic!("built") };
    assert!(step.is_unreachable && step.message.contains("`docker.io` cannot be reached") && step.hint.contains("PROXY"), "{step:?}");
    assert_eq!(BuildError::Step(step).problem().kind, base::ProblemKind::Unreachable);
    // What has a name of its own in the build is asked of nobody.
    let mut named = home.request("FROM mine\nCOPY a /x\n");
    named.contexts.insert("mine".into(), NamedContext::Image(image.id.to_string()));
    home.build_with(&named, &Offline, &Nowhere).expect("built");
}
