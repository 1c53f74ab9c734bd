//! A store in a folder of its own, and archives to put into it.

#![allow(dead_code, clippy::print_stdout)]

use blobs::{Image, Store};
use oci::tar::{END, Entry, EntryPath, Kind, Mtime, encode_header, padding};
use oci::{DiffId, ImageConfig};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

pub struct Home(pub PathBuf);

impl Home {
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("wharf-blobs-{}-{}", std::process::id(), base::ids::suffix(6)));
        fs::create_dir_all(&path).expect("home");
        Self(path)
    }

    pub fn store(&self) -> Store {
        Store::open(&self.0.join("blobs")).expect("store")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        println!("skipped: root");
    }
    root
}

pub fn entry(path: &str, kind: Kind, mode: u32) -> Entry {
    let mtime = Mtime { seconds: 1_600_000_000, nanos: 0 };
    Entry { path: EntryPath::parse(path.as_bytes()).expect("path"), kind, mode, uid: 0, gid: 0, mtime, xattrs: BTreeMap::new() }
}

pub fn archive(entries: &[(Entry, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (entry, content) in entries {
        encode_header(entry, &mut bytes);
        bytes.extend_from_slice(content);
        bytes.extend_from_slice(padding(content.len() as u64));
    }
    bytes.extend_from_slice(&END);
    bytes
}

pub fn file(path: &str, content: &'static [u8], mode: u32) -> (Entry, &'static [u8]) {
    (entry(path, Kind::File { size: content.len() as u64 }, mode), content)
}

pub fn exported(store: &Store, layer: &DiffId) -> Vec<u8> {
    let mut bytes = Vec::new();
    store.layers().export(layer, &mut bytes).expect("exported");
    bytes
}

pub fn image(store: &Store, layers: &[DiffId], cmd: &str) -> Image {
    let mut config = ImageConfig { architecture: "amd64".into(), os: "linux".into(), ..Default::default() };
    config.rootfs.diff_ids = layers.to_vec();
    config.config.cmd = Some(vec![cmd.to_owned()]);
    store.images().put(&config).expect("put")
}
