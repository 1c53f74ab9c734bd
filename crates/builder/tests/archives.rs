//! `ADD` of archives however they are compressed, made by the programs that people make them with.

#![allow(clippy::print_stdout)]

#[path = "support/home.rs"]
mod home;

use home::Home;
use std::fs;
use std::process::Command;

fn make(home: &Home, command: &str) -> bool {
    let made =
        Command::new("sh").current_dir(home.path.join("context")).args(["-ec", command]).status().is_ok_and(|status| status.success());
    if !made {
        println!("skipped: {command}");
    }
    made
}

#[test]
fn archives_are_unpacked_whatever_compressed_them() {
    let home = Home::new();
    home.write("tree/bin/x", "x");
    home.write("tree/big", "0123456789abcdef".repeat(100_000));
    if !make(&home, "tar --owner=5 --group=6 --mtime=@1000000000 --sort=name -cf tree.tar -C tree big bin") {
        return;
    }
    let (_, plain) = home.build("FROM scratch\nADD tree.tar /opt/\n");
    for (program, name) in [
        ("gzip -c", "tree.tgz"),
        ("xz -c", "tree.txz"),
        ("xz -9e -c", "tree.tar.xz"),
        ("xz --x86 --lzma2 -c", "filtered.tar.xz"),
        ("bzip2 -c", "tree.tar.bz2"),
        ("zstd -q -c", "tree.tar.zst"),
        ("zstd -q --ultra --long=27 -22 -c", "long.tar.zst"),
    ] {
        if !make(&home, &format!("{program} tree.tar >{name}")) {
            continue;
        }
        let (_, image) = home.build(&format!("FROM scratch\nADD {name} /opt/\n"));
        assert_eq!(image.layers, plain.layers, "{name}");
        let (_, image) = home.build(&format!("FROM scratch\nCOPY {name} /opt/\n"));
        assert_eq!(home.listing(&image).len(), 2, "{name} is copied as it is");
    }
    // Written in parts by several threads, or one behind the other.
    for (parts, name) in [("xz -c", "xz"), ("bzip2 -c", "bz2"), ("zstd -q -c", "zst"), ("gzip -c", "gz")] {
        if make(&home, &format!("(head -c 900000 tree.tar | {parts}; tail -c +900001 tree.tar | {parts}) >parts.tar.{name}")) {
            let (_, image) = home.build(&format!("FROM scratch\nADD parts.tar.{name} /opt/\n"));
            assert_eq!(image.layers, plain.layers, "{name}");
        }
    }
}

#[test]
fn what_is_compressed_and_no_archive_is_copied_as_docker_does() {
    let home = Home::new();
    home.write("text", "words");
    home.write("short.tar.xz", b"\xfd7zXZ\0....");
    home.write("short.tar.bz2", b"BZh9....");
    home.write("x.tar.lz4", b"\x04\x22\x4d\x18....");
    let mut names = vec!["short.tar.xz", "short.tar.bz2", "x.tar.lz4"];
    for (program, name) in [("xz", "text.xz"), ("bzip2", "text.bz2"), ("zstd -q", "text.zst"), ("gzip", "text.gz")] {
        if make(&home, &format!("{program} -c text >{name}")) {
            names.push(name);
        }
    }
    for name in names {
        let (_, image) = home.build(&format!("FROM scratch\nADD {name} /{name}\n"));
        let lines = home.listing(&image);
        assert!(lines.len() == 1 && lines[0].starts_with(&format!("644 0:0 {name}")), "{lines:?}");
    }
}

#[test]
fn a_damaged_archive_is_an_error_and_memory_has_a_bound() {
    let home = Home::new();
    home.write("tree/x", "0123456789abcdef".repeat(100_000));
    if !make(&home, "head -c 3000000 /dev/urandom >tree/y; tar -cf tree.tar tree") {
        return;
    }
    for (program, name) in [("xz", "tree.tar.xz"), ("bzip2", "tree.tar.bz2"), ("zstd -q", "tree.tar.zst")] {
        if !make(&home, &format!("{program} -c tree.tar >{name}")) {
            continue;
        }
        let path = home.path.join("context").join(name);
        let whole = fs::read(&path).expect("archive");
        fs::write(&path, &whole[..whole.len() / 2]).expect("cut");
        let error = home.fail(&format!("FROM scratch\nADD {name} /\n"));
        assert!(error.contains(name), "{error}");
        let mut flipped = whole.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 0xff;
        fs::write(&path, &flipped).expect("flipped");
        if name.ends_with("zst") {
            // Its frames carry a checksum that the decoder here does not compare; only its form is checked.
            continue;
        }
        let error = home.fail(&format!("FROM scratch\nADD {name} /\n"));
        assert!(error.contains(name), "{error}");
    }
    // The dictionary is as large as the header says, whatever the content: 512 MiB.
    if make(&home, "xz --lzma2=dict=512MiB -c tree.tar >huge.tar.xz") {
        let error = home.fail("FROM scratch\nADD huge.tar.xz /\n");
        assert!(error.contains("more than 128 MiB of memory"), "{error}");
    }
}
