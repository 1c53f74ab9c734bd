//! Collection: what goes, what stays, and pushes that go on meanwhile.

use crate::client::{Answer, Client, Hand, Server, digest, image, index};
use registry::{Keep, Options, Policy};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const GRACE: Duration = Duration::from_secs(60);

fn with(clock: &Arc<Hand>, policy: Policy) -> Server {
    Server::with(Options { clock: clock.clone(), policy, collect_every: None, ..Options::default() })
}

fn policy() -> Policy {
    Policy { grace: GRACE, ..Policy::default() }
}

#[test]
fn blobs_that_no_manifest_names_go_after_the_grace() {
    let clock = Hand::new();
    let server = with(&clock, policy());
    let mut client = server.client();
    let manifest = client.push_image("a", "v1", b"named");
    let orphan = client.push("a", &vec![1; 100_000]);
    assert_eq!(server.collect().blobs, 0, "it is young");
    clock.forward(GRACE / 2);
    client.ask("HEAD", &format!("/v2/a/blobs/{orphan}")).expect(200);
    clock.forward(GRACE / 2 + Duration::from_secs(1));
    assert_eq!(server.collect().blobs, 0, "somebody has asked for it since");
    clock.forward(GRACE);
    let collected = server.collect();
    assert_eq!((collected.blobs, collected.bytes, collected.manifests, collected.tags), (1, 100_000, 0, 0));
    assert_eq!(client.ask("GET", &format!("/v2/a/blobs/{orphan}")).status, 404);
    assert_eq!(client.ask("GET", &format!("/v2/a/manifests/{manifest}")).status, 200);
    assert_eq!(client.ask("GET", &format!("/v2/a/blobs/{}", digest(b"named"))).status, 200);
}

#[test]
fn an_open_upload_holds_what_came_since_it_began() {
    let clock = Hand::new();
    let server = with(&clock, policy());
    let mut client = server.client();
    let session = client.ask("POST", "/v2/a/blobs/uploads/").expect(202).header("location").to_owned();
    client.push("a", b"first layer");
    client.push("b", b"elsewhere");
    clock.forward(GRACE * 10);
    let collected = server.collect();
    assert_eq!(collected.blobs, 1, "only the one of the other repository");
    assert_eq!(client.ask("GET", &format!("/v2/a/blobs/{}", digest(b"first layer"))).status, 200);
    client.ask("DELETE", &session).expect(204);
    clock.forward(GRACE * 2);
    assert_eq!(server.collect().blobs, 1);
}

#[test]
fn untagged_manifests_stay_unless_told() {
    let clock = Hand::new();
    let server = with(&clock, policy());
    let mut client = server.client();
    let old = client.push_image("a", "v", b"1");
    client.push_image("a", "v", b"2");
    clock.forward(GRACE * 1000);
    assert_eq!(server.collect().manifests, 0);
    assert_eq!(client.ask("GET", &format!("/v2/a/manifests/{old}")).status, 200, "somebody may run it by its digest");
    drop(client);
    let folder = server.stop();
    let policy = Policy { untagged: Some(GRACE * 2), ..policy() };
    let server = Server::on(folder, Options { clock: clock.clone(), policy, collect_every: None, ..Options::default() });
    let mut client = server.client();
    clock.forward(GRACE * 3);
    let collected = server.collect();
    assert_eq!((collected.manifests, collected.blobs), (1, 1));
    assert_eq!(client.ask("GET", &format!("/v2/a/manifests/{old}")).status, 404);
    assert_eq!(client.ask("GET", "/v2/a/manifests/v").status, 200);
}

#[test]
fn the_last_tags_stay_with_all_that_belongs_to_them() {
    let clock = Hand::new();
    let keep = vec![Keep { pattern: "all/**".to_owned(), tags: 100 }, Keep { pattern: "**".to_owned(), tags: 2 }];
    let server = with(&clock, Policy { keep, ..policy() });
    let mut client = server.client();
    let mut images = Vec::new();
    for number in 0..5 {
        images.push(client.push_image("a", &format!("v{number}"), format!("layer {number}").as_bytes()));
        client.push_image("all/a", &format!("v{number}"), b"x");
        clock.forward(Duration::from_secs(1));
    }
    // What refers to an image goes with it and stays with it; the tag of the older way of writing it too.
    let config = client.push("a", b"{}");
    let mut signatures = Vec::new();
    for subject in &images {
        let manifest = image(&[(&config, 2)], &format!(r#","subject":{{"digest":"{subject}","size":1}}"#));
        client.put("a", &digest(&manifest), &manifest).expect(201);
        signatures.push(digest(&manifest));
        client
            .put("a", &subject.replace(':', "-"), &index(&[&digest(&manifest)], &format!(r#","annotations":{{"of":"{subject}"}}"#)))
            .expect(201);
    }
    assert_eq!(server.collect().tags, 0, "all are young");
    clock.forward(GRACE * 2);
    let collected = server.collect();
    assert_eq!((collected.tags, collected.manifests), (6, 9), "three images, each with a tag, a signature and its list");
    let tags = client.ask("GET", "/v2/a/tags/list").json()["tags"].to_string();
    assert!(tags.contains(r#""v3""#) && tags.contains(r#""v4""#) && !tags.contains(r#""v2""#), "{tags}");
    for (number, (image, signature)) in images.iter().zip(&signatures).enumerate() {
        let expected = if number < 3 { 404 } else { 200 };
        assert_eq!(client.ask("GET", &format!("/v2/a/manifests/{image}")).status, expected, "{number}");
        assert_eq!(client.ask("GET", &format!("/v2/a/manifests/{signature}")).status, expected, "{number}");
        let layer = digest(format!("layer {number}").as_bytes());
        assert_eq!(client.ask("GET", &format!("/v2/a/blobs/{layer}")).status, expected, "{number}");
    }
    assert_eq!(client.ask("GET", "/v2/all/a/tags/list").json()["tags"].as_array().map(Vec::len), Some(5));
    assert_eq!(server.collect(), registry::Collected::default(), "a second time nothing is left to do");
}

#[test]
fn an_image_of_an_index_that_stays_stays() {
    let clock = Hand::new();
    let keep = vec![Keep { pattern: "**".to_owned(), tags: 1 }];
    let server = with(&clock, Policy { keep, untagged: Some(GRACE), ..policy() });
    let mut client = server.client();
    let one = client.push_image("a", "one", b"1");
    let lone = client.push_image("a", "lone", b"2");
    client.put("a", "all", &index(&[&one], "")).expect(201);
    clock.forward(GRACE * 3);
    let collected = server.collect();
    assert_eq!((collected.tags, collected.manifests), (2, 1));
    assert_eq!(client.ask("GET", &format!("/v2/a/manifests/{one}")).status, 200);
    assert_eq!(client.ask("GET", &format!("/v2/a/manifests/{lone}")).status, 404);
}

/// What of an image or an index in `a` can still be had: itself, what it lists, and their blobs.
fn is_whole(client: &mut Client, digest: &str) -> bool {
    let answer = client.ask("GET", &format!("/v2/a/manifests/{digest}"));
    let named = |answer: &Answer, member: &str| -> Vec<String> {
        let list = answer.json()[member].as_array().cloned().unwrap_or_default();
        list.iter().filter_map(|one| Some(one["digest"].as_str()?.to_owned())).collect()
    };
    answer.status == 200
        && named(&answer, "layers").iter().all(|layer| client.ask("GET", &format!("/v2/a/blobs/{layer}")).status == 200)
        && named(&answer, "manifests").iter().all(|child| is_whole(client, child))
}

#[test]
fn an_index_that_stays_without_a_tag_keeps_what_it_shares_with_one_that_goes() {
    let clock = Hand::new();
    let keep = vec![Keep { pattern: "**".to_owned(), tags: 1 }];
    let server = with(&clock, Policy { keep: keep.clone(), ..policy() });
    let mut client = server.client();
    let child = |client: &mut Client, layer: &[u8]| {
        let (config, blob) = (client.push("a", b"{}"), client.push("a", layer));
        let manifest = image(&[(&config, 2), (&blob, layer.len())], "");
        client.put("a", &digest(&manifest), &manifest).expect(201);
        digest(&manifest)
    };
    let (own, shared, other) = (child(&mut client, b"amd64"), child(&mut client, b"arm64"), child(&mut client, b"amd64, again"));
    let tagged = |client: &mut Client, tag: &str, children: &[&str]| {
        client.put("a", tag, &index(children, "")).expect(201).header("docker-content-digest").to_owned()
    };
    let first = tagged(&mut client, "latest", &[&own, &shared]);
    let second = tagged(&mut client, "latest", &[&other, &shared]);
    clock.forward(GRACE * 2);
    client.push_image("a", "v2", b"another");
    // Listed by an index that was only just pushed, which its sender is about to tag.
    let fresh = index(&[&other], "");
    client.put("a", &digest(&fresh), &fresh).expect(201);
    let collected = server.collect();
    assert_eq!((collected.tags, collected.manifests), (1, 1), "the tag, and the second index: what it lists others need");
    assert!(is_whole(&mut client, &first), "it has lost what it shared");
    assert!(is_whole(&mut client, &digest(&fresh)), "it has lost what it lists");
    assert_eq!(client.ask("GET", &format!("/v2/a/manifests/{second}")).status, 404);
    // Nobody keeps them once those without a tag go, too.
    drop(client);
    let policy = Policy { keep, untagged: Some(GRACE), ..policy() };
    let server = Server::on(server.stop(), Options { clock: clock.clone(), policy, collect_every: None, ..Options::default() });
    clock.forward(GRACE * 2);
    assert_eq!((server.collect().manifests, server.collect().manifests), (5, 0), "two indexes and their three images, in one go");
}

#[test]
fn signatures_stay_with_what_stays_and_go_with_what_goes() {
    let clock = Hand::new();
    let keep = vec![Keep { pattern: "**".to_owned(), tags: 1 }];
    let server = with(&clock, Policy { keep, ..policy() });
    let mut client = server.client();
    let kept = client.push_image("a", "v1", b"in an index without a tag, too");
    let gone = client.push_image("a", "v2", b"in an index that goes");
    client.push_image("a", "v2", b"in its place");
    let outer = index(&[&kept], "");
    client.put("a", &digest(&outer), &outer).expect(201);
    client.put("a", "v3", &index(&[&gone], "")).expect(201);
    let mut signatures = Vec::new();
    for subject in [&kept, &gone] {
        // Signers of the older way write no subject: their tag alone says what it is about.
        signatures.push(client.push_image("a", &format!("{}.sig", subject.replace(':', "-")), subject.as_bytes()));
    }
    clock.forward(GRACE * 2);
    client.push_image("a", "v4", b"the last");
    let collected = server.collect();
    assert_eq!(
        (collected.tags, collected.manifests),
        (4, 4),
        "v1 to v3 and a signature's; the one in v2, the index, its image, that signature"
    );
    assert!(is_whole(&mut client, &kept));
    for (subject, expected) in [(&kept, 200), (&gone, 404)] {
        assert_eq!(client.ask("GET", &format!("/v2/a/manifests/{subject}")).status, expected);
        assert_eq!(client.ask("GET", &format!("/v2/a/manifests/{}.sig", subject.replace(':', "-"))).status, expected);
    }
    assert!(is_whole(&mut client, &signatures[0]));
    assert_eq!(client.ask("GET", &format!("/v2/a/manifests/{}", signatures[1])).status, 404);
}

#[test]
fn the_log_does_not_grow_for_ever() {
    let clock = Hand::new();
    let options = Options { clock: clock.clone(), policy: policy(), collect_every: None, segment_bytes: 256 << 10, ..Options::default() };
    let server = Server::with(options);
    let mut client = server.client();
    client.push_image("kept", "v1", b"kept");
    for round in 0..8_u32 {
        for number in 0..100_u32 {
            client.push("a", &[round.to_le_bytes(), number.to_le_bytes()].concat().repeat(512));
        }
        clock.forward(GRACE * 2);
        assert_eq!(server.collect().blobs, 100);
    }
    let size = || -> u64 {
        let entries = std::fs::read_dir(server.folder.0.join("log")).expect("listed").flatten();
        entries.filter_map(|entry| entry.metadata().ok()).map(|data| data.len()).sum()
    };
    let begun = Instant::now();
    // 3.2 MB were pushed in all.
    while size() > 1 << 20 {
        assert!(begun.elapsed() < Duration::from_secs(20), "{} bytes", size());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(client.ask("GET", "/v2/kept/manifests/v1").status, 200);
    let folder = server.stop();
    let report = registry::fsck(&folder.0).expect("read");
    assert_eq!((report.problems, report.contents), (Vec::new(), 3));
}

#[test]
fn eight_push_while_all_is_collected() {
    // A grace that is only just longer than a push takes, and collection without a pause.
    let keep = vec![Keep { pattern: "**".to_owned(), tags: 5 }];
    let policy = Policy { grace: Duration::from_secs(5), keep, untagged: Some(Duration::from_secs(5)) };
    let server = Server::with(Options { policy, collect_every: None, segment_bytes: 1 << 20, ..Options::default() });
    let (ended, collections) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut removed = 0;
    std::thread::scope(|scope| {
        let pushers: Vec<_> = (0..8_u8)
            .map(|pusher| {
                let mut client = server.client();
                scope.spawn(move || {
                    let begun = Instant::now();
                    let mut number = 0_u32;
                    while begun.elapsed() < Duration::from_secs(12) {
                        let repository = format!("r{}", pusher % 3);
                        // Some layers are the same in all, some are large.
                        let own =
                            [&number.to_le_bytes()[..], &[pusher]].concat().repeat(if number.is_multiple_of(5) { 20_000 } else { 200 });
                        client.push(&repository, format!("shared {}", number % 7).as_bytes());
                        client.push_image(&repository, &format!("p{pusher}"), &own);
                        let tagged = client.ask("GET", &format!("/v2/{repository}/manifests/p{pusher}")).expect(200);
                        for layer in tagged.json()["layers"].as_array().into_iter().flatten() {
                            let path = format!("/v2/{repository}/blobs/{}", layer["digest"].as_str().expect("digest"));
                            assert!(client.ask("GET", &path).expect(200).body == own);
                        }
                        number += 1;
                    }
                    number
                })
            })
            .collect();
        let collector = scope.spawn(|| {
            let mut removed = 0;
            while !ended.load(Ordering::Relaxed) {
                let collected = server.collect();
                removed += collected.blobs + collected.manifests;
                collections.fetch_add(1, Ordering::Relaxed);
            }
            removed
        });
        // Told also when a pusher failed: the collector would go on for ever.
        let pushed: Vec<_> = pushers.into_iter().map(|pusher| pusher.join()).collect();
        ended.store(true, Ordering::Relaxed);
        removed = collector.join().expect("collected");
        let pushed: u32 = pushed.into_iter().map(|pushed| pushed.expect("pushed")).sum();
        assert!(pushed > 8);
    });
    assert!(removed > 0 && collections.load(Ordering::Relaxed) > 10, "{removed} removed, {collections:?} collections");
    let folder = server.stop();
    assert_eq!(registry::fsck(&folder.0).expect("read").problems, Vec::<String>::new());
}
