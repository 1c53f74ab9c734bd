//! Pushes to registries that break off, forget, and say no.

#[path = "support/fake.rs"]
mod fake;
#[path = "support/home.rs"]
mod home;
#[path = "support/registry.rs"]
mod registry;

use blobs::remote::{Progress, Remote, RemoteError, RemoteOptions};
use blobs::{BlobError, Compression, Image, Store};
use fake::{Answer, Asked, Fake};
use home::{Home, archive, file, image};
use oci::Digest;
use registry::runtime;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn quiet(_: Progress) {}

fn options() -> RemoteOptions {
    RemoteOptions { stall_time: Duration::from_secs(2), connect_time: Duration::from_secs(2), ..RemoteOptions::default() }
}

/// What a registry holds: uploads by number, blobs by digest, manifests by name.
#[derive(Default)]
struct Content {
    uploads: BTreeMap<usize, Vec<u8>>,
    blobs: BTreeMap<String, Vec<u8>>,
    manifests: BTreeMap<String, Vec<u8>>,
}

type Shared = Arc<Mutex<Content>>;

/// An honest registry without limits.
fn honest(content: &Shared, asked: &Asked) -> Answer {
    let mut content = content.lock().expect("content");
    let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
    let last = path.rsplit('/').next().unwrap_or_default().to_owned();
    let at = |number: usize| format!("/v2/x/blobs/uploads/{number}?state={number}");
    let place = |number: usize, status: u16| Answer::new(status).header("Location", at(number));
    match (asked.method.as_str(), path) {
        (_, "/v2/") => Answer::new(200),
        ("POST", "/v2/x/blobs/uploads/") => {
            let number = content.uploads.len();
            content.uploads.insert(number, Vec::new());
            place(number, 202)
        }
        (method, path) if path.starts_with("/v2/x/blobs/uploads/") => {
            let number = last.parse().expect("number");
            let Some(upload) = content.uploads.get_mut(&number) else { return Answer::new(404) };
            upload.extend_from_slice(&asked.body);
            match method {
                "PATCH" => place(number, 202),
                "GET" => place(number, 204).header("Range", format!("0-{}", upload.len().saturating_sub(1))),
                _ => {
                    let digest = query.rsplit("digest=").next().unwrap_or_default().to_owned();
                    let bytes = upload.clone();
                    if Digest::of(&bytes).to_string() != digest {
                        return Answer::new(400).body(r#"{"errors":[{"code":"DIGEST_INVALID","message":"no"}]}"#);
                    }
                    content.blobs.insert(digest, bytes);
                    Answer::new(201)
                }
            }
        }
        ("HEAD", path) if path.contains("/blobs/") => Answer::new(if content.blobs.contains_key(&last) { 200 } else { 404 }),
        ("HEAD", _) => match content.manifests.get(&last) {
            Some(bytes) => fake::document(bytes, oci::manifest::media::MANIFEST),
            None => Answer::new(404),
        },
        ("PUT", _) => {
            content.manifests.insert(last, asked.body.clone());
            Answer::new(201).header("Docker-Content-Digest", Digest::of(&asked.body).to_string())
        }
        _ => Answer::new(404),
    }
}

fn noise(bytes: usize) -> &'static [u8] {
    let mut state = 5u32;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    Box::leak((0..bytes).map(step).collect::<Vec<_>>().into_boxed_slice())
}

fn sample(store: &Store) -> Image {
    let layer = store.layers().import(archive(&[file("data", noise(3 << 20), 0o644)]).as_slice(), "test", None).expect("layer");
    image(store, &[layer], "a")
}

fn push(store: &Store, image: &Image, fake: &Fake, compression: Compression) -> Result<blobs::remote::Pushed, RemoteError> {
    runtime().block_on(Remote::new(options()).push(store, image, &fake.name("x:1"), &[], compression, &quiet))
}

fn arrived(content: &Shared, store: &Store, image: &Image, compression: Compression) {
    let planned = store.distribution(image, compression).expect("planned");
    let content = content.lock().expect("content");
    for blob in planned.layers.iter().chain([&planned.config]) {
        let bytes = content.blobs.get(&blob.digest.to_string()).expect("blob");
        assert_eq!((Digest::of(bytes), bytes.len() as u64), (blob.digest, blob.size));
    }
    for name in ["1", &planned.manifest_digest.to_string()] {
        assert_eq!(content.manifests.get(name), Some(&planned.manifest_bytes), "{name}");
    }
}

#[test]
fn a_broken_upload_is_taken_up_where_it_broke() {
    for (compression, known) in [(Compression::Gzip, false), (Compression::Gzip, true), (Compression::None, true)] {
        let (home, content) = (Home::new(), Shared::default());
        let store = home.store();
        let image = sample(&store);
        if known {
            store.distribution(&image, compression).expect("packed before");
        }
        let given = content.clone();
        let fake = Fake::with_body_limit(1_000_000, move |asked, _| honest(&given, asked));
        push(&store, &image, &fake, compression).expect("pushed");
        arrived(&content, &store, &image, compression);
        let patches: Vec<_> = fake.log().into_iter().filter(|asked| asked.method == "PATCH").collect();
        assert_eq!(patches.len(), 2, "{compression:?}");
        let size = store.distribution(&image, compression).expect("planned").layers[0].size;
        assert!(patches[0].cut && (patches[0].body.len() + patches[1].body.len()) as u64 == size);
        assert_eq!(patches[1].headers.contains_key("content-range"), known);
    }
}

#[test]
fn a_registry_that_forgets_is_told_anew() {
    let (home, content) = (Home::new(), Shared::default());
    let store = home.store();
    let image = sample(&store);
    let given = content.clone();
    let fake = Fake::start(move |asked, log| {
        let patches = log.iter().filter(|one| one.method == "PATCH").count();
        if asked.method == "PATCH" && patches == 1 {
            return Answer::new(404).body(r#"{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN","message":""}]}"#);
        }
        if asked.method == "PATCH" && patches == 2 {
            return Answer::new(503);
        }
        if asked.method == "GET" && asked.path.contains("/uploads/") {
            return Answer::new(404);
        }
        honest(&given, asked)
    });
    push(&store, &image, &fake, Compression::Gzip).expect("pushed");
    arrived(&content, &store, &image, Compression::Gzip);
}

#[test]
fn a_registry_that_counts_wrongly_is_found_out_by_the_digest() {
    let (home, content) = (Home::new(), Shared::default());
    let store = home.store();
    let image = sample(&store);
    let given = content.clone();
    let fake = Fake::with_body_limit(1_000_000, move |asked, _| {
        let answer = honest(&given, asked);
        if answer.status != 204 {
            return answer;
        }
        // It says less than it has.
        let place = answer.headers[0].1.clone();
        Answer::new(204).header("Location", place).header("Range", "0-99")
    });
    push(&store, &image, &fake, Compression::Gzip).expect("pushed");
    arrived(&content, &store, &image, Compression::Gzip);
}

#[test]
fn rights_that_end_in_the_middle_are_got_again() {
    let (home, content) = (Home::new(), Shared::default());
    let store = home.store();
    let image = sample(&store);
    let given = content.clone();
    let fake = Fake::start(move |asked, log| {
        let tokens = log.iter().filter(|one| one.path.starts_with("/token")).count();
        if asked.path.starts_with("/token") {
            assert!(asked.path.contains("repository:x:pull%2Cpush"), "{}", asked.path);
            return Answer::new(200).body(format!(r#"{{"token":"t{tokens}"}}"#));
        }
        let patched = log.iter().any(|one| one.method == "PATCH");
        let valid = if patched { "Bearer t2" } else { "Bearer t1" };
        if asked.path == "/v2/" || asked.headers.get("authorization").is_some_and(|sent| sent == valid) {
            return honest(&given, asked);
        }
        let realm = format!("http://{}/token", asked.headers["host"]);
        Answer::new(401).header("WWW-Authenticate", format!(r#"Bearer realm="{realm}",service="s",scope="repository:x:pull,push""#))
    });
    push(&store, &image, &fake, Compression::Gzip).expect("pushed");
    arrived(&content, &store, &image, Compression::Gzip);
    assert_eq!(fake.count("GET", "/token"), 2);
}

#[test]
fn a_no_is_told_and_ends_the_push() {
    for (status, body, said) in [
        (403, r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#, "requested access"),
        (413, "", "413"),
        (405, r#"{"errors":[{"code":"UNSUPPORTED","message":"read only"}]}"#, "read only"),
    ] {
        for method in ["POST", "PATCH", "PUT"] {
            let (home, content) = (Home::new(), Shared::default());
            let store = home.store();
            let image = sample(&store);
            let given = content.clone();
            let fake =
                Fake::start(move |asked, _| if asked.method == method { Answer::new(status).body(body) } else { honest(&given, asked) });
            let error = push(&store, &image, &fake, Compression::Gzip).expect_err("refused");
            assert!(error.to_string().contains(said) && error.to_string().contains("push to `x`"), "{error}");
            assert!(!error.is_unreachable(), "{error}");
        }
    }
}

#[test]
fn a_server_that_answers_early_and_reads_no_more_stops_nobody() {
    let (home, content) = (Home::new(), Shared::default());
    let store = home.store();
    let layer = store.layers().import(archive(&[file("data", noise(30 << 20), 0o644)]).as_slice(), "test", None).expect("layer");
    let image = image(&store, &[layer], "a");
    let given = content.clone();
    // The body is cut after a few bytes, and the handler's thread keeps the connection open without reading.
    let fake = Fake::with_body_limit(1000, move |asked, _| {
        if asked.cut {
            std::thread::sleep(Duration::from_secs(5));
        }
        honest(&given, asked)
    });
    push(&store, &image, &fake, Compression::None).expect("pushed");
    arrived(&content, &store, &image, Compression::None);
}

#[test]
fn large_requests_that_are_refused_are_cut() {
    for chunk_bytes in [None, Some(1_000_000)] {
        let (home, content) = (Home::new(), Shared::default());
        let store = home.store();
        let layer = store.layers().import(archive(&[file("data", noise(20 << 20), 0o644)]).as_slice(), "test", None).expect("layer");
        let image = image(&store, &[layer], "a");
        let given = content.clone();
        let fake = Fake::start(move |asked, log| {
            if asked.body.len() > 8 << 20 {
                return Answer::new(413);
            }
            // One of the requests fails on the way.
            if asked.method == "PATCH" && log.iter().filter(|one| one.method == "PATCH").count() == 3 {
                return Answer::new(502);
            }
            honest(&given, asked)
        });
        let remote = Remote::new(RemoteOptions { chunk_bytes, ..options() });
        runtime().block_on(remote.push(&store, &image, &fake.name("x:1"), &[], Compression::Gzip, &quiet)).expect("pushed");
        arrived(&content, &store, &image, Compression::Gzip);
        let size = store.distribution(&image, Compression::Gzip).expect("planned").layers[0].size;
        let ranges: Vec<_> = fake.log().iter().filter_map(|asked| asked.headers.get("content-range").cloned()).collect();
        let chunk = chunk_bytes.unwrap_or(8 << 20);
        assert_eq!((ranges[0].clone(), ranges[1].clone()), (format!("0-{}", chunk - 1), format!("{chunk}-{}", 2 * chunk - 1)));
        assert!(ranges.last().is_some_and(|last| last.ends_with(&format!("-{}", size - 1))), "{ranges:?}");
    }
}

#[test]
fn a_damaged_layer_is_not_sent() {
    let (home, content) = (Home::new(), Shared::default());
    let store = home.store();
    let image = sample(&store);
    std::fs::write(image.trees[0].join("data"), noise(3 << 20).iter().rev().copied().collect::<Vec<_>>()).expect("damaged");
    let given = content.clone();
    let fake = Fake::start(move |asked, _| honest(&given, asked));
    for compression in [Compression::Gzip, Compression::None] {
        let error = push(&store, &image, &fake, compression).expect_err("damaged");
        assert!(matches!(error, RemoteError::Store(BlobError::Damaged { .. })), "{error}");
    }
    assert!(content.lock().expect("content").blobs.is_empty());
}

#[test]
fn what_was_remembered_wrongly_is_found_out() {
    let (home, content) = (Home::new(), Shared::default());
    let store = home.store();
    let image = sample(&store);
    let planned = store.distribution(&image, Compression::Gzip).expect("planned");
    let record = store.root().join("layers").join(image.layers[0].0.hex()).join("gzip.json");
    let text = std::fs::read_to_string(&record).expect("record");
    std::fs::write(&record, text.replace(&planned.layers[0].digest.to_string(), &Digest::of(b"other").to_string())).expect("changed");
    let given = content.clone();
    let fake = Fake::start(move |asked, _| honest(&given, asked));
    let error = push(&store, &image, &fake, Compression::Gzip).expect_err("another digest").to_string();
    assert!(error.contains("should have the digest"), "{error}");
    // It is not believed a second time.
    push(&store, &image, &fake, Compression::Gzip).expect("pushed");
    arrived(&content, &store, &image, Compression::Gzip);
}
