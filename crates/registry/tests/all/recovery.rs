//! Logs that end too early, or of which bytes have changed: what stands before the damage stays, what is lost is told.

use crate::client::{Folder, Server, digest};
use proptest::prelude::*;
use registry::{Damage, Options};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A log, and after each push how much of it was written.
struct Written {
    folder: Folder,
    pushes: Vec<(String, usize)>,
}

fn log_file(folder: &Path) -> PathBuf {
    folder.join("log/log-00000001")
}

fn options() -> Options {
    Options { collect_every: None, segment_bytes: 128 << 10, ..Options::default() }
}

fn content(number: u32) -> Vec<u8> {
    (0..number * 97 % 3000 + 1).flat_map(|at| (at ^ number).to_le_bytes()).map(|byte| byte | 1).collect()
}

fn written() -> &'static Written {
    static WRITTEN: OnceLock<Written> = OnceLock::new();
    WRITTEN.get_or_init(|| {
        let server = Server::with(options());
        let mut client = server.client();
        let mut pushes = Vec::new();
        for number in 0..14 {
            let named = client.push("a", &content(number));
            let bytes = std::fs::read(log_file(&server.folder.0)).expect("read");
            pushes.push((named, bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1)));
        }
        drop(client);
        // The zeros behind what was written are cut off when it is opened anew, not here: a crash leaves them.
        Written { folder: server.stop(), pushes }
    })
}

/// The same log with a change, opened.
fn opened(change: impl FnOnce(&mut Vec<u8>)) -> Server {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.0.join("log")).expect("made");
    let mut bytes = std::fs::read(log_file(&written().folder.0)).expect("read");
    change(&mut bytes);
    std::fs::write(log_file(&folder.0), bytes).expect("written");
    Server::on(folder, options())
}

fn damage(server: &Server) -> Vec<Damage> {
    server.registry.as_ref().expect("open").damage().to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_torn_end_loses_only_what_was_not_acknowledged(part in 0.0..1.0_f64, garbage in prop::collection::vec(any::<u8>(), 0..600), zeros in any::<bool>()) {
        let written = written();
        let end = written.pushes.last().map_or(0, |(_, end)| *end);
        // The head of the file was synced before anything was acknowledged.
        let cut = 48 + ((end - 48) as f64 * part) as usize;
        let server = opened(|bytes| {
            bytes[cut..].fill(0);
            if !zeros {
                bytes.truncate(cut);
            }
            let fits = garbage.len().min(bytes.len() - cut.min(bytes.len()));
            bytes[cut..cut + fits].copy_from_slice(&garbage[..fits]);
        });
        prop_assert!(damage(&server).iter().all(|damage| !damage.is_loss()), "{:?}", damage(&server));
        let mut client = server.client();
        for (number, (named, end)) in written.pushes.iter().enumerate() {
            let answer = client.ask("GET", &format!("/v2/a/blobs/{named}"));
            if *end <= cut {
                prop_assert_eq!(answer.status, 200, "push {} ended at {}, cut at {}", number, end, cut);
            }
            if answer.status == 200 {
                prop_assert!(answer.body == content(u32::try_from(number).expect("small")));
            }
        }
        let new = client.push("a", b"goes on");
        drop(client);
        let folder = server.stop();
        prop_assert_eq!(registry::fsck(&folder.0).expect("read").problems, Vec::<String>::new());
        let server = Server::on(folder, options());
        prop_assert_eq!(server.client().ask("GET", &format!("/v2/a/blobs/{new}")).status, 200);
    }

    #[test]
    fn changed_bytes_are_told_and_lose_only_what_they_hold(which in 0_usize..13, at in any::<prop::sample::Index>(), flip in 1_u8..) {
        let written = written();
        let begin = which.checked_sub(1).map_or(48, |before| written.pushes[before].1.next_multiple_of(8));
        let place = begin + at.index(written.pushes[which].1 - begin);
        let server = opened(|bytes| bytes[place] ^= flip);
        prop_assert!(damage(&server).iter().any(Damage::is_loss), "byte {} of push {}", place, which);
        let mut client = server.client();
        for (number, (named, _)) in written.pushes.iter().enumerate() {
            let status = client.ask("GET", &format!("/v2/a/blobs/{named}")).status;
            prop_assert_eq!(status, if number == which { 404 } else { 200 }, "push {}", number);
        }
        client.push("a", b"goes on");
        drop(client);
        let problems = registry::fsck(&server.stop().0).expect("read").problems;
        prop_assert_eq!(problems.len(), 1, "{:?}", problems);
    }
}

#[test]
fn content_that_has_changed_in_its_file_is_told() {
    let server = Server::new();
    let content = vec![7; 200_000];
    let named = server.client().push("a", &content);
    let folder = server.stop();
    let file = std::fs::read_dir(folder.0.join("files")).expect("listed").flatten().next().expect("a file").path();
    let mut changed = content.clone();
    changed[100_000] ^= 1;
    std::fs::write(&file, &changed).expect("written");
    let problems = registry::fsck(&folder.0).expect("read").problems;
    assert_eq!(problems, [format!("the content of {named} has the digest {}", digest(&changed))]);
    std::fs::remove_file(&file).expect("removed");
    assert!(registry::fsck(&folder.0).expect("read").problems[0].contains("cannot be read"));
}

#[test]
fn what_a_push_left_is_removed_at_the_next_start() {
    let server = Server::new();
    let named = server.client().push("a", &vec![1; 100_000]);
    let folder = server.stop();
    let stray = folder.0.join("files/00000000000000ff");
    std::fs::write(&stray, b"half").expect("written");
    let report = registry::fsck(&folder.0).expect("read");
    assert_eq!((report.leftovers, report.problems), (1, Vec::new()));
    let server = Server::on(folder, Options::default());
    assert!(!stray.exists());
    assert_eq!(server.client().ask("GET", &format!("/v2/a/blobs/{named}")).status, 200);
}

#[test]
fn one_at_a_time_has_a_folder_open() {
    let server = Server::new();
    let second = registry::fsck(&server.folder.0);
    assert!(matches!(second, Err(registry::OpenError::Busy(_))));
    assert!(registry::fsck(Path::new("/nonexistent/registry")).is_err());
}
