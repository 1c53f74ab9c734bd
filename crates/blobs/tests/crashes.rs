//! The store when things go wrong: damage, kills, power cuts, full disks, many at once.

#![allow(clippy::print_stdout)]

#[path = "support/home.rs"]
mod home;

use blobs::{BlobError, Store};
use home::{Home, archive, entry, exported, file, image, root};
use oci::tar::Kind;
use oci::{DiffId, Digest};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn damage_is_named() {
    let home = Home::new();
    let store = home.store();
    let layer = store
        .layers()
        .import(archive(&[file("etc/passwd", b"root", 0o644), file("b", b"2", 0o644)]).as_slice(), "test", None)
        .expect("layer");
    let tree = store.layers().tree(&layer).expect("tree").path().to_owned();
    fs::write(tree.join("etc/passwd"), b"toor").expect("changed");
    let error = store.layers().export(&layer, &mut std::io::sink()).expect_err("damaged").to_string();
    assert!(error.contains("etc/passwd is damaged"), "{error}");
    let faults = store.fsck().expect("fsck");
    assert!(faults.len() == 1 && faults[0].why.contains("etc/passwd"), "{faults:?}");
    fs::remove_file(tree.join("etc/passwd")).expect("removed");
    std::os::unix::fs::symlink("/etc/shadow", tree.join("etc/passwd")).expect("link");
    assert!(store.layers().export(&layer, &mut std::io::sink()).is_err(), "a link is not followed");
}

#[test]
fn nothing_half_made_stays() {
    let home = Home::new();
    let store = home.store();
    let bytes = archive(&[file("a", b"1", 0o644), file("b", b"2", 0o644)]);
    let cut = &bytes[..1400];
    assert!(matches!(store.layers().import(cut, "cut", None), Err(BlobError::Tar { .. })));
    let wrong = DiffId(Digest::of(b"other"));
    assert!(matches!(store.layers().import(bytes.as_slice(), "wrong", Some(&wrong)), Err(BlobError::Digest { .. })));
    assert!(matches!(store.layers().import(&b"BZh9...."[..], "bzip2", None), Err(BlobError::Unsupported(_))));
    assert_eq!(fs::read_dir(store.root().join("tmp")).expect("tmp").count(), 0);
    assert!(store.layers().list().expect("list").is_empty());
    // A crash leaves a folder whose lock nobody holds.
    fs::create_dir_all(store.root().join("tmp/crashed/tree")).expect("left over");
    fs::write(store.root().join("tmp/begun.lock"), b"").expect("left over");
    let working = store.temp().expect("temp");
    let again = home.store();
    assert!(!again.root().join("tmp/crashed").exists() && !again.root().join("tmp/begun.lock").exists());
    assert!(working.path().exists());
}

#[test]
fn what_was_not_durable_is_not_believed_after_a_power_cut() {
    let home = Home::new();
    let store = home.store();
    let bytes = archive(&[file("a", b"1", 0o644)]);
    let layer = store.layers().import(bytes.as_slice(), "test", None).expect("layer");
    let boot = store.root().join("layers").join(layer.0.hex()).join("boot");
    fs::write(&boot, b"an earlier boot").expect("boot");
    assert!(!store.layers().contains(&layer));
    assert!(store.layers().tree(&layer).is_err());
    store.layers().import(bytes.as_slice(), "test", None).expect("made again");
    assert!(store.layers().contains(&layer));
    image(&store, &[layer], "a");
    assert!(!boot.exists(), "an image makes its layers durable");
}

#[test]
fn a_full_disk_is_told_with_its_path() {
    let home = Home::new();
    let small = home.0.join("small");
    fs::create_dir(&small).expect("folder");
    let mounted = root()
        && Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&small).status().is_ok_and(|status| status.success());
    if !mounted {
        println!("skipped: mount");
        return;
    }
    let result = Store::open(&small.join("blobs")).map(|store| {
        static BIG: [u8; 4 << 20] = [7; 4 << 20];
        let error = store.layers().import(archive(&[file("usr/big", &BIG, 0o644)]).as_slice(), "test", None);
        let left = fs::read_dir(store.root().join("tmp")).expect("tmp").count();
        let fits = store.layers().import(archive(&[file("usr/small", b"1", 0o644)]).as_slice(), "test", None).is_ok();
        (error, left, fits)
    });
    assert!(Command::new("umount").arg(&small).status().is_ok_and(|status| status.success()));
    let (error, left, fits) = result.expect("store");
    let error = error.expect_err("full").to_string();
    assert!(error.contains("small/blobs/tmp") && error.contains("usr/big") && error.contains("No space left"), "{error}");
    assert_eq!((left, fits), (0, true), "what was begun is gone, and the next fits");
}

/// A process killed at any moment leaves nothing that counts.
#[test]
fn a_killed_import_leaves_no_layer() {
    if std::env::var_os("WHARF_TEST_CHILD").is_some() {
        let home = PathBuf::from(std::env::var_os("WHARF_TEST_CHILD").expect("set"));
        let store = Store::open(&home.join("blobs")).expect("store");
        let files: Vec<_> = (0..3000)
            .map(|number| (entry(&format!("d{}/f{number}", number % 50), Kind::File { size: 3 }, 0o644), b"abc".as_slice()))
            .collect();
        store.layers().import(archive(&files).as_slice(), "test", None).expect("imported");
        return;
    }
    let home = Home::new();
    let expected = {
        let whole = Home::new();
        run_child(&whole.0).wait().expect("child");
        whole.store().layers().list().expect("list")
    };
    assert_eq!(expected.len(), 1);
    for delay_ms in [20, 60, 120, 250] {
        let mut child = run_child(&home.0);
        std::thread::sleep(std::time::Duration::from_millis(delay_ms));
        child.kill().expect("killed");
        child.wait().expect("child");
        let store = home.store();
        let layers = store.layers().list().expect("list");
        assert!(layers.is_empty() || layers == expected, "{layers:?}");
        assert!(store.fsck().expect("fsck").is_empty());
        assert_eq!(fs::read_dir(store.root().join("tmp")).expect("tmp").count(), 0);
    }
}

fn run_child(home: &Path) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().expect("own path"));
    command.args(["--exact", "a_killed_import_leaves_no_layer"]).env("WHARF_TEST_CHILD", home);
    command.stdout(std::process::Stdio::null()).spawn().expect("child")
}

#[test]
fn many_at_once_make_one_layer() {
    let home = Home::new();
    let bytes = archive(&[file("a", b"1", 0o644), file("b/c", b"2", 0o644)]);
    let ids: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| home.store().layers().import(bytes.as_slice(), "test", None).expect("layer"))).collect();
        threads.into_iter().map(|thread| thread.join().expect("thread")).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]));
    let store = home.store();
    assert_eq!(store.layers().list().expect("list").len(), 1);
    assert!(exported(&store, &ids[0]) == bytes);
}
