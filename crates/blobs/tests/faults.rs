//! Pulls from registries that break, lie and delay; nothing of theirs is kept unless it is what its digest says.

#[path = "support/fake.rs"]
mod fake;
#[path = "support/home.rs"]
mod home;
#[path = "support/registry.rs"]
mod registry;
#[path = "support/samples.rs"]
mod samples;

use blobs::remote::{Remote, RemoteError, RemoteOptions, parse_platform};
use blobs::{Compression, Store};
use fake::{Answer, Asked, Fake, document, held, index};
use home::{Home, archive, file};
use oci::Digest;
use oci::manifest::media;
use registry::runtime;
use samples::{gzip, noise, options, pull, pull_with, quiet, sample};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn nothing_kept(store: &Store) {
    assert_eq!(std::fs::read_dir(store.root().join("tmp")).expect("tmp").count(), 0);
    assert!(store.images().ids().expect("ids").is_empty());
    assert!(store.fsck().expect("fsck").is_empty());
}

/// A pull that must fail; what it said.
fn refused(handler: impl Fn(&Asked, &fake::Log) -> Answer + Send + Sync + 'static) -> RemoteError {
    let (home, fake) = (Home::new(), Fake::start(handler));
    let store = home.store();
    let error = pull(&store, &fake.name("x:1")).expect_err("refused");
    nothing_kept(&store);
    error
}

#[test]
fn a_pull_may_go_to_any_thread() {
    fn is_send<T: Send>(_: &T) {}
    let home = Home::new();
    let (store, remote, name) = (home.store(), Remote::new(options()), "127.0.0.1:1/x".parse().expect("name"));
    is_send(&remote.pull(&store, &name, None, &quiet));
    is_send(&remote.resolve(&name));
    let image = home::image(&store, &[], "a");
    is_send(&remote.push(&store, &image, &name, &[], Compression::Gzip, &quiet));
}

#[test]
fn a_broken_connection_is_taken_up_where_it_broke() {
    for ranges in [true, false] {
        let (home, held) = (Home::new(), sample());
        let given = held.clone();
        let fake = Fake::start(move |asked, log| {
            let asks = log.iter().filter(|one| one.path == asked.path).count();
            let mut asked = asked.clone();
            if !ranges {
                asked.headers.remove("range");
            }
            let answer = given.answer(&asked);
            let cut = given.is_layer(&asked) && asks <= 3;
            Answer {
                cut_after: cut.then_some(if ranges { 100_000 } else { 100_000 * asks }).filter(|at| *at < answer.body.len()),
                ..answer
            }
        });
        let image = pull(&home.store(), &fake.name("x:1")).expect("pulled");
        assert_eq!(image.layers.len(), 2);
        let asked: Vec<_> = fake.log().into_iter().filter(|asked| asked.path.ends_with(&held.layers[0].to_string())).collect();
        let ranges: Vec<_> = asked.iter().map(|asked| asked.headers.get("range").cloned().unwrap_or_default()).collect();
        assert_eq!(ranges.len(), 4, "{ranges:?}");
        assert!(home.store().fsck().expect("fsck").is_empty());
    }
}

#[test]
fn one_that_never_gets_on_is_given_up() {
    let held = sample();
    let error = refused(move |asked, _| Answer { cut_after: held.is_layer(asked).then_some(0), ..held.answer(asked) });
    assert!(matches!(error, RemoteError::Unreachable { .. }), "{error}");
}

#[test]
fn silence_is_no_answer() {
    let (home, held) = (Home::new(), sample());
    let given = held.clone();
    let fake = Fake::start(move |asked, log| {
        let first = given.is_layer(asked) && log.iter().filter(|one| one.path == asked.path).count() == 1;
        Answer { silence: if first { Duration::from_secs(6) } else { Duration::ZERO }, ..given.answer(asked) }
    });
    let began = Instant::now();
    pull(&home.store(), &fake.name("x:1")).expect("pulled");
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
}

#[test]
fn content_that_is_not_what_its_digest_says_is_refused() {
    let held = sample();
    let error = refused(move |asked, _| {
        let mut answer = held.answer(asked);
        if held.is_layer(asked) {
            let at = 5000 % answer.body.len();
            answer.body[at] ^= 1;
        }
        answer
    });
    assert!(matches!(error, RemoteError::Digest { .. } | RemoteError::Store(_)), "{error}");
    // Right as a blob, and not the layer that the configuration names.
    let (one, two) = (archive(&[file("one", b"1", 0o644)]), archive(&[file("two", b"2", 0o644)]));
    let held = fake::held(&[&one], &[gzip(&two)], media::LAYER_GZIP);
    let error = refused(move |asked, _| held.answer(asked));
    assert!(error.to_string().contains("should have the digest"), "{error}");
    let held = sample();
    let error = refused(move |asked, _| {
        let answer = held.answer(asked);
        if asked.path.contains("/manifests/") {
            Answer::new(200).header("Docker-Content-Digest", Digest::of(b"x").to_string()).body(held.manifest.clone())
        } else {
            answer
        }
    });
    assert!(matches!(error, RemoteError::Digest { .. }), "{error}");
}

#[test]
fn lengths_that_lie_are_refused() {
    for lie in [1u64, 10_000_000, u64::MAX] {
        let held = sample();
        let error = refused(move |asked, _| Answer { length: held.is_layer(asked).then_some(lie), ..held.answer(asked) });
        assert!(matches!(error, RemoteError::Answer { .. } | RemoteError::Unreachable { .. }), "{error}");
    }
    let held = sample();
    let error = refused(move |asked, _| {
        let mut answer = held.answer(asked);
        if held.is_layer(asked) {
            answer.body.extend([0; 100]);
            answer.chunked = true;
        }
        answer
    });
    assert!(matches!(error, RemoteError::Answer { .. }), "{error}");
}

#[test]
fn bombs_do_not_go_off() {
    // A layer that is small on the wire and large on the disk.
    let zeros: &'static [u8] = Box::leak(vec![0u8; 40 << 20].into_boxed_slice());
    let large = archive(&[file("zeros", zeros, 0o644)]);
    let held = held(&[&large], &[gzip(&large)], media::LAYER_GZIP);
    let (home, fake) = (Home::new(), Fake::start(move |asked, _| held.answer(asked)));
    let store = home.store();
    let error = pull_with(RemoteOptions { max_layer_bytes: 10 << 20, ..options() }, &store, &fake.name("x:1")).expect_err("too large");
    assert!(matches!(error, RemoteError::Store(_)), "{error}");
    nothing_kept(&store);
    // Documents without end.
    for chunked in [true, false] {
        let error =
            refused(
                move |asked, _| {
                    if asked.path == "/v2/" { Answer::new(200) } else { Answer { chunked, ..Answer::new(200).body(vec![b' '; 9 << 20]) } }
                },
            );
        assert!(error.to_string().contains("longer than"), "{error}");
    }
    let error = refused(|asked, _| {
        let layers: Vec<_> = (0..600).map(|at| format!(r#"{{"mediaType":"x","digest":"{}","size":1}}"#, Digest::of(&[at as u8]))).collect();
        let config = format!(r#"{{"mediaType":"x","digest":"{}","size":2}}"#, Digest::of(b"{}"));
        let manifest = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{}]}}"#, layers.join(","));
        if asked.path == "/v2/" { Answer::new(200) } else { document(manifest.as_bytes(), media::MANIFEST) }
    });
    assert!(error.to_string().contains("600 layers"), "{error}");
    let error = refused(|asked, _| {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        if asked.path == "/v2/" { Answer::new(200) } else { document(format!(r#"{{"manifests":{deep}}}"#).as_bytes(), media::INDEX) }
    });
    assert!(matches!(error, RemoteError::Answer { .. }), "{error}");
    // A configuration that is said to be large is not asked for.
    let held = sample();
    let text =
        String::from_utf8(held.manifest.clone()).expect("text").replace(&format!("\"size\":{}", held.config.len()), "\"size\":99999999999");
    let error = refused(
        move |asked, _| if asked.path.contains("/manifests/") { document(text.as_bytes(), media::MANIFEST) } else { held.answer(asked) },
    );
    assert!(matches!(error, RemoteError::Answer { .. }), "{error}");
}

#[test]
fn an_index_leads_to_this_machine_and_to_no_other() {
    let (one, two) = (sample(), held(&[], &[], media::LAYER));
    let list = index(&[
        (&two, "unknown", "unknown"),
        (&two, "linux", "s390x"),
        (&one, "linux", blobs::remote::host_platform().architecture.as_str()),
    ]);
    let given = list.clone();
    let fake = Fake::start(move |asked, _| match asked.path.rsplit('/').next() {
        Some("1") => document(&given, media::INDEX),
        Some(name) if name == Digest::of(&given).to_string() => document(&given, media::INDEX),
        Some(name) if name == Digest::of(&two.manifest).to_string() => document(&two.manifest, media::MANIFEST),
        _ if asked.path.contains(&Digest::of(&two.config).to_string()) => two.answer(asked),
        _ => one.answer(asked),
    });
    let home = Home::new();
    let store = home.store();
    let image = pull(&store, &fake.name("x:1")).expect("pulled");
    let digest = format!("{}@{}", fake.name("x").name(), Digest::of(&list));
    assert_eq!(store.images().resolve(&digest).expect("by the digest of the index").id, image.id);
    // By its digest it gets no tag.
    let other = Home::new();
    let store = other.store();
    pull(&store, &digest.parse().expect("reference")).expect("pulled");
    assert!(store.images().names().expect("names").is_empty());
    store.prune(blobs::PruneOptions::default()).expect("pruned");
    assert_eq!(store.images().resolve(&digest).expect("still there").id, image.id);
    let none = runtime().block_on(Remote::new(options()).pull(
        &store,
        &fake.name("x:1"),
        Some(&parse_platform("windows/amd64").expect("platform")),
        &quiet,
    ));
    let error = none.expect_err("not there").to_string();
    assert!(error.contains("is not there for windows/amd64; it is for linux/s390x, linux/"), "{error}");
}

#[test]
fn one_that_is_busy_is_asked_again_when_it_says() {
    let (home, held) = (Home::new(), sample());
    let fake = Fake::start(move |asked, log| match log.iter().filter(|one| one.path == asked.path).count() {
        1 if asked.path != "/v2/" => Answer::new(429).header("Retry-After", "1"),
        2 if asked.path != "/v2/" => Answer::new(503),
        _ => held.answer(asked),
    });
    pull(&home.store(), &fake.name("x:1")).expect("pulled");
    let began = Instant::now();
    let error = refused(|asked, _| {
        if asked.path == "/v2/" {
            Answer::new(200)
        } else {
            Answer::new(429).header("Retry-After", "3600").body(r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}"#)
        }
    });
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(error.is_unreachable() && error.to_string().contains("TOOMANYREQUESTS: slow down"), "{error}");
}

#[test]
fn redirects_end_and_never_lead_from_https() {
    let error = refused(|asked, _| if asked.path == "/v2/" { Answer::new(200) } else { Answer::new(302).header("Location", "/v2/again") });
    assert!(error.to_string().contains("redirects more than"), "{error}");
    let error = refused(|asked, _| if asked.path == "/v2/" { Answer::new(200) } else { Answer::new(302).header("Location", "gopher://x") });
    assert!(error.to_string().contains("redirects to"), "{error}");
}

#[test]
fn mirrors_are_asked_first_and_the_registry_when_they_fail() {
    let held = sample();
    let (given, broken) = (held.clone(), held.clone());
    let own = Fake::start(move |asked, _| given.answer(asked));
    let mirror = Fake::start(move |asked, _| {
        assert!(asked.path.starts_with("/cache/v2/"), "{}", asked.path);
        let mut inner = asked.clone();
        inner.path = asked.path.replace("/cache", "");
        let mut answer = broken.answer(&inner);
        if asked.path.ends_with(&broken.layers[0].to_string()) {
            answer.body[3000] ^= 1;
        }
        answer
    });
    let home = Home::new();
    let mirrors = BTreeMap::from([(
        format!("127.0.0.1:{}", own.port),
        vec!["127.0.0.1:1".to_owned(), format!("http://127.0.0.1:{}/cache", mirror.port)],
    )]);
    pull_with(RemoteOptions { mirrors, ..options() }, &home.store(), &own.name("x:1")).expect("pulled");
    let nowhere = BTreeMap::from([("127.0.0.1:2".to_owned(), vec!["127.0.0.1:1".to_owned()])]);
    let name = "127.0.0.1:2/x:1".parse().expect("name");
    let error = pull_with(RemoteOptions { mirrors: nowhere, ..options() }, &home.store(), &name).expect_err("nobody there");
    assert!(error.is_unreachable() && error.to_string().contains("127.0.0.1:2` is not reached"), "{error}");
    assert!(error.to_string().contains("before that: cannot speak to `127.0.0.1:1`"), "{error}");
    assert_eq!((mirror.count("GET", "/blobs/"), own.count("GET", "/blobs/"), own.count("GET", "/manifests/")), (3, 1, 0));
    assert!(home.store().fsck().expect("fsck").is_empty());
}

#[test]
fn a_pull_that_is_dropped_leaves_nothing_half_made() {
    let (home, held) = (Home::new(), sample());
    let fake = Fake::start(move |asked, _| Answer {
        silence: if held.is_layer(asked) { Duration::from_secs(1) } else { Duration::ZERO },
        ..held.answer(asked)
    });
    let store = home.store();
    runtime().block_on(async {
        let remote = Remote::new(options());
        let name = fake.name("x:1");
        let pulling = remote.pull(&store, &name, None, &quiet);
        assert!(tokio::time::timeout(Duration::from_millis(300), pulling).await.is_err());
    });
    nothing_kept(&store);
}

#[test]
fn layers_packed_with_zstd_are_read() {
    if !registry::has("zstd") {
        return;
    }
    let archive = archive(&[file("one", noise(700_000), 0o644), file("two", &[b'a'; 300_000], 0o644)]);
    for level in ["-1", "-9", "--ultra -22"] {
        let mut command = Command::new("zstd");
        command.args(level.split(' ')).args(["--quiet", "--stdout"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut zstd = command.spawn().expect("zstd");
        let (mut stdin, bytes) = (zstd.stdin.take().expect("stdin"), archive.clone());
        let writing = std::thread::spawn(move || stdin.write_all(&bytes).expect("written"));
        let packed = zstd.wait_with_output().expect("packed").stdout;
        writing.join().expect("written");
        let held = held(&[&archive], &[packed], media::LAYER_ZSTD);
        let (home, fake) = (Home::new(), Fake::start(move |asked, _| held.answer(asked)));
        let image = pull(&home.store(), &fake.name("x:1")).expect("pulled");
        assert!(home::exported(&home.store(), &image.layers[0]) == archive);
    }
}
