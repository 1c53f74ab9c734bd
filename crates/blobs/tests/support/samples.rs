//! What the tests of broken registries pull, and how.

#![allow(dead_code)]

use crate::fake::{Held, held};
use crate::home::{archive, file};
use crate::registry::runtime;
use blobs::remote::{Progress, Remote, RemoteError, RemoteOptions};
use blobs::{GzipWriter, Image, Store};
use oci::Reference;
use oci::manifest::media;
use std::io::Write;
use std::time::Duration;

pub fn quiet(_: Progress) {}

pub fn options() -> RemoteOptions {
    RemoteOptions { stall_time: Duration::from_secs(2), connect_time: Duration::from_secs(2), ..RemoteOptions::default() }
}

pub fn pull_with(options: RemoteOptions, store: &Store, name: &Reference) -> Result<Image, RemoteError> {
    runtime().block_on(Remote::new(options).pull(store, name, None, &quiet))
}

pub fn pull(store: &Store, name: &Reference) -> Result<Image, RemoteError> {
    pull_with(options(), store, name)
}

pub fn noise(bytes: usize) -> &'static [u8] {
    let mut state = 5u32;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    Box::leak((0..bytes).map(step).collect::<Vec<_>>().into_boxed_slice())
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = GzipWriter::new(Vec::new(), 1);
    writer.write_all(bytes).expect("written");
    writer.finish().expect("finished")
}

pub fn sample() -> Held {
    let (one, two) = (archive(&[file("one", noise(700_000), 0o644)]), archive(&[file("two", b"2", 0o644)]));
    held(&[&one, &two], &[gzip(&one), gzip(&two)], media::LAYER_GZIP)
}
