//! The store on a real disk: layers in and out byte by byte, images, names, archives, crashes and damage.

#![allow(clippy::print_stdout)]

#[path = "support/home.rs"]
mod home;

use blobs::{BlobError, Compression, PruneOptions, Record, SaveFormat, Stamp, import_path};
use home::{Home, archive, entry, exported, file, image, root};
use oci::tar::{EntryPath, Kind, Mtime};
use oci::{DiffId, Digest, Hasher, Reference};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

fn rich() -> Vec<u8> {
    let mut capable = file("bin/ping", b"ELF", 0o4755);
    capable.0.xattrs.insert("security.capability".into(), vec![1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    capable.0.xattrs.insert("user.note".into(), b"x".to_vec());
    let mut owned = file("home/app/data", b"mine", 0o600);
    (owned.0.uid, owned.0.gid) = (1000, 1001);
    archive(&[
        (entry("tmp", Kind::Folder, 0o1777), b""),
        capable,
        owned,
        (entry("home/app/link", Kind::Symlink { target: b"/etc/../x".to_vec() }, 0o777), b""),
        (entry("home/app/hard", Kind::Hardlink { target: EntryPath::parse(b"home/app/data").expect("path") }, 0o600), b""),
        (entry("dev/null", Kind::Char { major: 1, minor: 3 }, 0o666), b""),
        (entry("run/pipe", Kind::Fifo, 0o644), b""),
        file("etc/.wh.gone", b"", 0),
        file("var/.wh..wh..opq", b"", 0),
    ])
}

#[test]
fn an_archive_becomes_a_tree_and_the_same_archive() {
    if !root() {
        return;
    }
    let home = Home::new();
    let store = home.store();
    let bytes = [rich(), vec![0; 4096]].concat();
    let layer = store.layers().import(bytes.as_slice(), "test", Some(&DiffId(Digest::of(&bytes)))).expect("imported");
    assert!(exported(&store, &layer) == bytes);
    let lease = store.layers().tree(&layer).expect("tree");
    let stat = |path: &str| fs::symlink_metadata(lease.path().join(path)).expect(path);
    assert_eq!(stat("tmp").mode() & 0o7777, 0o1777);
    assert_eq!(stat("tmp").mtime(), 1_600_000_000);
    assert_eq!(stat("bin/ping").mode() & 0o7777, 0o4755);
    assert_eq!((stat("home/app/data").uid(), stat("home/app/data").gid(), stat("home/app/data").nlink()), (1000, 1001, 2));
    assert_eq!(stat("home/app/link").mtime(), 1_600_000_000);
    assert_eq!((stat("dev/null").rdev(), stat("run/pipe").file_type().is_fifo()), (0x103, true));
    assert_eq!((stat("etc/gone").rdev(), stat("etc/gone").file_type().is_char_device()), (0, true));
    let mut value = [0u8; 64];
    let got = rustix::fs::getxattr(lease.path().join("var"), "trusted.overlay.opaque", &mut value[..]).expect("opaque");
    assert_eq!(&value[..got], b"y");
    let got = rustix::fs::getxattr(lease.path().join("bin/ping"), "security.capability", &mut value[..]).expect("capability");
    assert_eq!(got, 20);
}

#[test]
fn a_whiteout_beside_its_replacement_hides_what_is_below() {
    if !root() {
        return;
    }
    let home = Home::new();
    let store = home.store();
    let new_first = archive(&[
        (entry("d", Kind::Folder, 0o755), b""),
        file("d/x", b"1", 0o644),
        file(".wh.d", b"", 0),
        file("f", b"2", 0o644),
        file(".wh.f", b"", 0),
    ]);
    let old_first = archive(&[file(".wh.d", b"", 0), file("d/x", b"1", 0o644), file(".wh.f", b"", 0), file("f", b"2", 0o644)]);
    for bytes in [new_first, old_first] {
        let layer = store.layers().import(bytes.as_slice(), "test", None).expect("imported");
        let lease = store.layers().tree(&layer).expect("tree");
        assert_eq!(fs::read(lease.path().join("d/x")).expect("x"), b"1");
        assert_eq!(fs::read(lease.path().join("f")).expect("f"), b"2");
        let mut value = [0u8; 8];
        assert_eq!(rustix::fs::getxattr(lease.path().join("d"), "trusted.overlay.opaque", &mut value[..]), Ok(1));
        assert!(exported(&store, &layer) == bytes);
    }
}

#[test]
fn a_written_folder_becomes_a_reproducible_layer() {
    if !root() {
        return;
    }
    let home = Home::new();
    let store = home.store();
    let make = || {
        let temp = store.temp().expect("temp");
        let tree = temp.path().join("tree");
        fs::create_dir_all(tree.join("b/deep")).expect("folders");
        let since = mtime(&tree);
        fs::write(tree.join("b/new"), b"now").expect("new");
        fs::write(tree.join("b/old"), b"then").expect("old");
        fs::set_permissions(tree.join("b/new"), fs::Permissions::from_mode(0o2755)).expect("mode");
        assert!(Command::new("touch").args(["-d", "2001-02-03T04:05:06.7Z"]).arg(tree.join("b/old")).status().expect("touch").success());
        fs::hard_link(tree.join("b/new"), tree.join("b/zz")).expect("link");
        rustix::fs::mknodat(rustix::fs::CWD, tree.join("gone"), rustix::fs::FileType::CharacterDevice, rustix::fs::Mode::empty(), 0)
            .expect("whiteout");
        rustix::fs::setxattr(tree.join("b/deep"), "trusted.overlay.opaque", b"y", rustix::fs::XattrFlags::empty()).expect("opaque");
        rustix::fs::setxattr(tree.join("b"), "trusted.overlay.origin", b"host", rustix::fs::XattrFlags::empty()).expect("origin");
        let _socket = std::os::unix::net::UnixListener::bind(tree.join("b/socket")).expect("socket");
        store.layers().commit(&temp, Stamp { since, becomes: 315_532_801 }).expect("committed")
    };
    let (one, two) = (make(), make());
    assert_eq!(one, two);
    let bytes = exported(&store, &one);
    assert_eq!(Digest::of(&bytes), one.0);
    let out = list(&bytes);
    let names: Vec<_> = out.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["b", "b/deep", "b/deep/.wh..wh..opq", "b/new", "b/old", "b/zz", ".wh.gone"]);
    assert_eq!((out[3].1, out[4].1), (315_532_801, 981_173_106));
    let lease = store.layers().tree(&one).expect("tree");
    assert_eq!(fs::metadata(lease.path().join("b/new")).expect("new").mtime(), 315_532_801);
    assert!(!lease.path().join("b/socket").exists());
    // What we export, we import again to the same tree.
    let other = Home::new();
    assert_eq!(other.store().layers().import(bytes.as_slice(), "again", Some(&one)).expect("again"), one);
}

fn mtime(path: &Path) -> Mtime {
    let stat = fs::metadata(path).expect("stat");
    Mtime { seconds: stat.mtime(), nanos: stat.mtime_nsec() as u32 }
}

fn list(bytes: &[u8]) -> Vec<(String, i64)> {
    let mut reader = oci::tar::Reader::new(bytes, oci::tar::Limits::default());
    std::iter::from_fn(|| reader.next().expect("member")).map(|entry| (entry.path.to_string(), entry.mtime.seconds)).collect()
}

#[test]
fn images_are_found_by_all_their_names() {
    let home = Home::new();
    let store = home.store();
    let layer = store.layers().import(archive(&[file("a", b"1", 0o644)]).as_slice(), "test", None).expect("layer");
    let put = image(&store, &[layer], "a");
    let name: Reference = "jobs/app".parse().expect("name");
    store.images().tag(&name, &put.id).expect("tagged");
    let id = put.id.to_string();
    let short = id["sha256:".len()..][..12].to_owned();
    for name in
        ["jobs/app", "docker.io/jobs/app:latest", &id, &short, &format!("localhost/p/app@{}", put.manifest), &put.manifest.to_string()]
    {
        let found = store.images().resolve(name).expect(name);
        assert_eq!((found.id, found.manifest), (put.id, put.manifest), "{name}");
        assert_eq!(found.trees.len(), 1);
        assert_eq!(fs::read(found.trees[0].join("a")).expect("file"), b"1");
    }
    assert!(matches!(store.images().resolve("jobs/none"), Err(BlobError::NoImage(_))));
    assert!(matches!(store.images().resolve("No Name"), Err(BlobError::Name(_))));
    assert_eq!(Digest::of(&store.images().manifest_bytes(&put.id).expect("manifest")), put.manifest);
    let other = image(&store, &[layer], "b");
    store.images().tag(&name, &other.id).expect("moved");
    assert_eq!(store.images().resolve("jobs/app").expect("moved").id, other.id);
    store.images().remove("jobs/app").expect("removed");
    assert!(store.images().resolve("jobs/app").is_err());
    assert!(store.images().resolve(&other.id.to_string()).is_err());
    assert_eq!(store.images().list().expect("list").len(), 1);
}

#[test]
fn pruning_keeps_what_is_named_leased_or_remembered() {
    let home = Home::new();
    let store = home.store();
    let layer = |name: &'static str| store.layers().import(archive(&[file(name, b"1", 0o644)]).as_slice(), "test", None).expect("layer");
    let (named, unnamed, remembered, leased, loose) = (layer("a"), layer("b"), layer("c"), layer("d"), layer("e"));
    let kept = image(&store, &[named], "a");
    store.images().tag(&"app".parse().expect("name"), &kept.id).expect("tagged");
    image(&store, &[unnamed], "b");
    let key = Digest::of(b"key");
    store.cache().put(&key, &Record { layer: Some(remembered), note: "n".into() }).expect("remembered");
    let lease = store.layers().tree(&leased).expect("lease");
    let pruned = store.prune(PruneOptions::default()).expect("pruned");
    assert_eq!((pruned.layers, pruned.in_use), (vec![loose], vec![leased]));
    drop(lease);
    let mut gone = store.prune(PruneOptions { unnamed_images: true, cache: true }).expect("pruned").layers;
    let mut expected = vec![unnamed, remembered, leased];
    gone.sort_unstable();
    expected.sort_unstable();
    assert_eq!(gone, expected);
    assert!(store.cache().get(&key).is_none());
    assert_eq!(store.layers().list().expect("list"), [named]);
    assert!(store.fsck().expect("fsck").is_empty());
}

#[test]
fn a_saved_image_comes_back() {
    let home = Home::new();
    let store = home.store();
    let layers: Vec<_> = ["a", "b"]
        .map(|name| store.layers().import(archive(&[file(name, b"1234", 0o644)]).as_slice(), "test", None).expect("layer"))
        .to_vec();
    let put = image(&store, &layers, "a");
    let name: Reference = "jobs/app:1".parse().expect("name");
    for (compression, format) in
        [(Compression::None, SaveFormat::Both), (Compression::Gzip, SaveFormat::Both), (Compression::None, SaveFormat::Oci)]
    {
        let path = home.0.join("saved.tar");
        let save = || {
            let mut bytes = Vec::new();
            store.save(&[(put.clone(), vec![name.clone()])], format, compression, &mut bytes).expect("saved");
            bytes
        };
        let bytes = save();
        assert!(bytes == save(), "equal images give equal archives");
        fs::write(&path, &bytes).expect("written");
        let other = Home::new();
        let imported = import_path(&other.store(), &path).expect("imported");
        assert_eq!((imported[0].id, imported[0].references.clone()), (put.id, vec![name.clone()]));
        assert_eq!(other.store().images().resolve("jobs/app:1").expect("image").manifest, put.manifest);
        let unpacked = other.0.join("layout");
        fs::create_dir(&unpacked).expect("folder");
        if Command::new("tar").arg("-C").arg(&unpacked).arg("-xf").arg(&path).status().is_ok_and(|status| status.success()) {
            let third = Home::new();
            assert_eq!(import_path(&third.store(), &unpacked).expect("layout")[0].id, put.id);
        }
        let broken = bytes.iter().map(|&b| if b == b'1' { b'2' } else { b }).collect::<Vec<_>>();
        fs::write(&path, broken).expect("written");
        assert!(import_path(&Home::new().store(), &path).is_err());
    }
}

#[test]
fn the_base_images_come_in_and_go_out_unchanged() {
    let Some(bases) = std::env::var_os("WHARF_TEST_BASES") else {
        println!("skipped: WHARF_TEST_BASES");
        return;
    };
    let home = Home::new();
    let store = home.store();
    for name in ["busybox_stable.tar", "debian_bookworm-slim.tar"] {
        let path = Path::new(&bases).join(name);
        let imported = import_path(&store, &path).expect("imported");
        let found = store.images().resolve(&imported[0].references[0].to_string()).expect("found");
        for layer in &found.layers {
            let mut hasher = Hashing(Hasher::new());
            store.layers().export(layer, &mut hasher).expect("exported");
            assert_eq!(hasher.0.finish(), layer.0);
        }
    }
}

struct Hashing(Hasher);

impl std::io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
