//! The strict tar reader against hostile archives, and against what GNU tar and our own writer make.

#![allow(clippy::print_stdout)]

use oci::layer::{LayerItem, classify};
use oci::tar::{END, Entry, EntryPath, Fault, Guard, Kind, Limits, Mtime, Reader, TarError, encode_header, padding};
use std::collections::BTreeMap;

/// Reads a whole archive as a layer: members, what each does, and the first error.
fn read(bytes: &[u8]) -> Result<Vec<(Entry, LayerItem, Vec<u8>)>, TarError> {
    read_within(bytes, Limits { bytes: 64 << 20, entries: 1000, extension: 64 << 10 })
}

fn read_within(bytes: &[u8], limits: Limits) -> Result<Vec<(Entry, LayerItem, Vec<u8>)>, TarError> {
    let mut reader = Reader::new(bytes, limits);
    let mut guard = Guard::new();
    let mut members = Vec::new();
    while let Some(entry) = reader.next()? {
        guard.check(&entry).map_err(|fault| reader.error_at(&entry.path, fault))?;
        let item = classify(&entry).map_err(|fault| reader.error_at(&entry.path, fault))?;
        let mut content = Vec::new();
        let mut buffer = [0u8; 700];
        loop {
            let got = reader.read(&mut buffer)?;
            if got == 0 {
                break;
            }
            content.extend_from_slice(&buffer[..got]);
        }
        members.push((entry, item, content));
    }
    Ok(members)
}

/// A raw header; fields are patched over it before the sum is made.
fn header(name: &[u8], kind: u8, size: u64, patches: &[(usize, &[u8])]) -> Vec<u8> {
    let mut block = vec![0u8; 512];
    block[..name.len()].copy_from_slice(name);
    block[100..108].copy_from_slice(b"0000644\0");
    block[108..116].copy_from_slice(b"0000000\0");
    block[116..124].copy_from_slice(b"0000000\0");
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[136..148].copy_from_slice(b"00000000000\0");
    block[156] = kind;
    block[257..265].copy_from_slice(b"ustar\x0000");
    for (at, bytes) in patches {
        block[*at..*at + bytes.len()].copy_from_slice(bytes);
    }
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

fn file(name: &[u8], content: &[u8]) -> Vec<u8> {
    [header(name, b'0', content.len() as u64, &[]), content.to_vec(), padding(content.len() as u64).to_vec()].concat()
}

fn link(name: &[u8], kind: u8, target: &[u8]) -> Vec<u8> {
    header(name, kind, 0, &[(157, target)])
}

fn extension(kind: u8, body: &[u8]) -> Vec<u8> {
    [header(b"ext", kind, body.len() as u64, &[]), body.to_vec(), padding(body.len() as u64).to_vec()].concat()
}

fn pax(records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (key, value) in records {
        let payload = key.len() + value.len() + 3;
        let length = (payload + 1..payload + 9).find(|length| length.to_string().len() + payload == *length).expect("a length");
        body.extend_from_slice(format!("{length} {key}=").as_bytes());
        body.extend_from_slice(value);
        body.push(b'\n');
    }
    extension(b'x', &body)
}

fn archive(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), END.to_vec()].concat()
}

type Case = (&'static str, Vec<u8>, fn(&Fault) -> bool);

macro_rules! case {
    ($name:literal, $bytes:expr, $pattern:pat) => {{
        let expected: fn(&Fault) -> bool = |fault| matches!(fault, $pattern);
        ($name, $bytes, expected)
    }};
}

fn hostile_structure() -> Vec<Case> {
    let long = vec![b'n'; 256];
    let deep = b"d/".repeat(2100);
    vec![
        case!("cut within a header", header(b"a", b'0', 0, &[])[..300].to_vec(), Fault::Truncated),
        case!("cut within a file", file(b"a", &[1; 1000])[..900].to_vec(), Fault::Truncated),
        case!("cut within padding", file(b"a", b"x")[..600].to_vec(), Fault::Truncated),
        case!("cut within a pax header", pax(&[("path", b"a")])[..513].to_vec(), Fault::Truncated),
        case!("no tar at all", b"PK\x03\x04".repeat(200), Fault::Checksum),
        case!(
            "one bit flipped",
            {
                let mut bytes = archive(&[file(b"a", b"x")]);
                bytes[0] ^= 1;
                bytes
            },
            Fault::Checksum
        ),
        case!("data after the end", [archive(&[file(b"a", b"x")]), file(b"b", b"y")].concat(), Fault::TrailingData),
        case!("a member between the two end blocks", [file(b"a", b""), vec![0; 512], file(b"b", b"")].concat(), Fault::TrailingData),
        case!("endless zeros", vec![0; 6 << 20], Fault::TrailingData),
        case!("pax header without member", archive(&[pax(&[("path", b"a")])]), Fault::Dangling),
        case!("two pax headers", archive(&[pax(&[("path", b"a")]), pax(&[("path", b"b")]), file(b"c", b"")]), Fault::Dangling),
        case!("two long names", archive(&[extension(b'L', b"a\0"), extension(b'L', b"b\0"), file(b"c", b"")]), Fault::Dangling),
        case!("long name and pax path", archive(&[extension(b'L', b"a\0"), pax(&[("path", b"b")]), file(b"c", b"")]), Fault::Dangling),
        case!("size is no number", archive(&[header(b"a", b'0', 0, &[(124, b"0000000009x\0")])]), Fault::Number("size")),
        case!("digits after a gap", archive(&[header(b"a", b'0', 0, &[(124, b"0001 0001  \0")])]), Fault::Number("size")),
        case!("negative size", archive(&[header(b"a", b'0', 0, &[(124, &[0xff; 12])])]), Fault::Number("size")),
        case!(
            "size beyond 63 bits",
            archive(&[header(b"a", b'0', 0, &[(124, &[0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])])]),
            Fault::Number("size")
        ),
        case!("size beyond the limit", header(b"a", b'0', 1 << 32, &[]), Fault::Limit { what: "bytes", .. }),
        case!(
            "pax size beyond the limit",
            archive(&[pax(&[("size", b"99999999999")]), file(b"a", b"")]),
            Fault::Limit { what: "bytes", .. }
        ),
        case!("uid of -1", archive(&[header(b"a", b'0', 0, &[(108, &[0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])])]), Fault::Number("uid")),
        case!("negative gid", archive(&[header(b"a", b'0', 0, &[(116, &[0xff; 8])])]), Fault::Number("gid")),
        case!("huge pax header", header(b"x", b'x', 1 << 30, &[]), Fault::Limit { .. }),
        case!("huge long name", header(b"x", b'L', 1 << 30, &[]), Fault::Limit { .. }),
        case!("long component", archive(&[extension(b'L', &long), file(b"a", b"")]), Fault::LongName),
        case!("long path", archive(&[extension(b'L', &deep), file(b"a", b"")]), Fault::LongName),
        case!("too many members", archive(&vec![header(b"d/", b'5', 0, &[]); 1100]), Fault::Limit { what: "members", .. }),
    ]
}

fn hostile_pax() -> Vec<Case> {
    let body = |body: &[u8]| archive(&[extension(b'x', body), file(b"a", b"")]);
    vec![
        case!("length too short", body(b"5 path=abc\n"), Fault::Pax(_)),
        case!("length too long", body(b"99 path=abc\n"), Fault::Pax(_)),
        case!("length zero", body(b"0 path=abc\n"), Fault::Pax(_)),
        case!("length negative", body(b"-9 path=abc\n"), Fault::Pax(_)),
        case!("length overflows", body(b"99999999999999999999999 a=b\n"), Fault::Pax(_)),
        case!("no line break", body(b"11 path=abcd"), Fault::Pax(_)),
        case!("no key", body(b"7 =abc\n"), Fault::Pax(_)),
        case!("no equals sign", body(b"8 pathx\n"), Fault::Pax(_)),
        case!("a key twice", archive(&[pax(&[("path", b"a"), ("path", b"b")]), file(b"c", b"")]), Fault::Pax(_)),
        case!("pax size no number", archive(&[pax(&[("size", b"-1")]), file(b"a", b"")]), Fault::Number("size")),
        case!("pax uid too large", archive(&[pax(&[("uid", b"4294967295")]), file(b"a", b"")]), Fault::Number("uid")),
        case!("pax mtime no number", archive(&[pax(&[("mtime", b"1e9")]), file(b"a", b"")]), Fault::Number("mtime")),
        case!("unknown character set", archive(&[pax(&[("hdrcharset", b"UTF-7")]), file(b"a", b"")]), Fault::Pax(_)),
        case!("attribute without name", archive(&[pax(&[("SCHILY.xattr.", b"x")]), file(b"a", b"")]), Fault::Pax(_)),
        case!("global path", archive(&[extension(b'g', b"10 path=a\n"), file(b"a", b"")]), Fault::Pax(_)),
        case!("sparse, GNU", archive(&[header(b"a", b'S', 0, &[])]), Fault::Sparse),
        case!("sparse, pax 1.0", archive(&[pax(&[("GNU.sparse.major", b"1")]), file(b"a", b"")]), Fault::Sparse),
        case!("sparse, star", archive(&[pax(&[("SCHILY.realsize", b"1")]), file(b"a", b"")]), Fault::Sparse),
        case!(
            "overlay attribute",
            archive(&[pax(&[("SCHILY.xattr.trusted.overlay.redirect", b"/etc")]), header(b"d", b'5', 0, &[])]),
            Fault::Overlay(_)
        ),
        case!(
            "overlay attribute of users",
            archive(&[pax(&[("SCHILY.xattr.user.overlay.opaque", b"y")]), header(b"d", b'5', 0, &[])]),
            Fault::Overlay(_)
        ),
    ]
}

fn hostile_paths() -> Vec<Case> {
    vec![
        case!("parent", archive(&[file(b"../a", b"")]), Fault::ParentComponent),
        case!("parent within", archive(&[file(b"a/../../b", b"")]), Fault::ParentComponent),
        case!("absolute with parent", archive(&[file(b"/../etc/passwd", b"")]), Fault::ParentComponent),
        case!("parent by pax", archive(&[pax(&[("path", b"a/../b")]), file(b"c", b"")]), Fault::ParentComponent),
        case!("NUL by pax", archive(&[pax(&[("path", b"a\0b")]), file(b"c", b"")]), Fault::NulInName),
        case!("empty name", archive(&[file(b"", b"")]), Fault::EmptyName),
        case!("root as file", archive(&[file(b".", b"")]), Fault::RootIsNoFolder),
        case!("root as link", archive(&[link(b"/", b'2', b"/etc")]), Fault::RootIsNoFolder),
        case!("file twice", archive(&[file(b"a", b"1"), file(b"./a", b"2")]), Fault::Duplicate),
        case!("file then folder", archive(&[file(b"a", b"1"), header(b"a/", b'5', 0, &[])]), Fault::Duplicate),
        case!("folder then link", archive(&[header(b"a/", b'5', 0, &[]), link(b"a", b'2', b"/etc")]), Fault::Duplicate),
        case!("implied folder then link", archive(&[file(b"a/b", b""), link(b"a", b'2', b"/etc")]), Fault::Duplicate),
        case!("through a link", archive(&[link(b"a", b'2', b"/etc"), file(b"a/passwd", b"x")]), Fault::ParentIsNoFolder(_)),
        case!("through a deeper link", archive(&[link(b"d/a", b'2', b".."), file(b"d/a/b/c", b"x")]), Fault::ParentIsNoFolder(_)),
        case!("below a file", archive(&[file(b"a", b""), file(b"a/b", b"")]), Fault::ParentIsNoFolder(_)),
        case!("hard link to nothing", archive(&[link(b"a", b'1', b"etc/shadow")]), Fault::HardlinkTarget(_)),
        case!("hard link to later", archive(&[link(b"a", b'1', b"b"), file(b"b", b"")]), Fault::HardlinkTarget(_)),
        case!("hard link to itself", archive(&[link(b"a", b'1', b"a")]), Fault::HardlinkTarget(_)),
        case!("hard link to a folder", archive(&[header(b"d/", b'5', 0, &[]), link(b"a", b'1', b"d")]), Fault::HardlinkTarget(_)),
        case!("hard link out", archive(&[link(b"a", b'1', b"../../etc/shadow")]), Fault::ParentComponent),
        case!("hard link through a link", archive(&[link(b"s", b'2', b"/etc"), link(b"a", b'1', b"s/shadow")]), Fault::HardlinkTarget(_)),
        case!("hard link without target", archive(&[link(b"a", b'1', b"")]), Fault::EmptyName),
        case!("symbolic link without target", archive(&[link(b"a", b'2', b"")]), Fault::EmptyName),
        case!("link with content", archive(&[header(b"a", b'2', 512, &[(157, b"b")]), vec![0; 512]]), Fault::Content),
        case!("folder with content", archive(&[header(b"a/", b'5', 512, &[]), vec![0; 512]]), Fault::Content),
        case!("unknown type", archive(&[header(b"a", b'V', 0, &[])]), Fault::Type(b'V')),
        case!("whiteout device", archive(&[header(b"a", b'3', 0, &[])]), Fault::Overlay(_)),
        case!("whiteout of the parent", archive(&[file(b"d/.wh...", b"")]), Fault::Whiteout(_)),
        case!("whiteout of nothing", archive(&[file(b".wh.", b"")]), Fault::Whiteout(_)),
        case!("whiteout with content", archive(&[file(b".wh.a", b"x")]), Fault::Whiteout(_)),
        case!("whiteout as folder", archive(&[header(b".wh.a/", b'5', 0, &[])]), Fault::Whiteout(_)),
        case!("below a whiteout", archive(&[file(b"d/.wh.a/b", b"")]), Fault::Whiteout(_)),
        case!("whiteout as link", archive(&[file(b"x", b""), link(b".wh.a", b'1', b"x")]), Fault::Whiteout(_)),
        case!("union metadata", archive(&[file(b".wh..wh.plnk", b"")]), Fault::Whiteout(_)),
    ]
}

#[test]
fn hostile_archives_are_named_errors() {
    let cases: Vec<Case> = [hostile_structure(), hostile_pax(), hostile_paths()].into_iter().flatten().collect();
    assert!(cases.len() >= 70);
    for (name, bytes, expected) in cases {
        let error = read(&bytes).expect_err(name);
        assert!(expected(&error.fault), "{name}: {error}");
        assert!(!error.to_string().chars().any(char::is_control), "{name}: {error}");
    }
}

#[test]
fn nothing_is_read_after_an_error() {
    let bytes = archive(&[file(b"../a", b""), file(b"b", b"")]);
    let mut reader = Reader::new(bytes.as_slice(), Limits::default());
    assert!(reader.next().is_err());
    assert!(matches!(reader.next(), Ok(None)));
}

#[test]
fn what_is_odd_but_clear_is_read() {
    let names = |bytes: Vec<u8>| read(&bytes).expect("read").into_iter().map(|(entry, ..)| entry.path.to_string()).collect::<Vec<_>>();
    assert_eq!(names(Vec::new()), Vec::<String>::new());
    assert_eq!(names(file(b"no-end", b"x")), ["no-end"]);
    assert_eq!(names(archive(&[header(b"./", b'5', 0, &[]), file(b"//etc///passwd", b"")])), ["", "etc/passwd"]);
    assert_eq!(names(archive(&[header(b"d/", b'5', 0, &[]), header(b"./d", b'5', 0, &[])])), ["d", "d"]);
    assert_eq!(names(archive(&[header(b"old-folder/", 0, 0, &[])])), ["old-folder"]);
    assert_eq!(names(archive(&[file(b"..a/b..", b"")])), ["..a/b.."]);
    let global = extension(b'g', b"52 comment=0123456789012345678901234567890123456789\n");
    assert_eq!(names(archive(&[global, file(b"a", b"")])), ["a"]);
    let hard = read(&archive(&[link(b"s", b'2', b"../../up"), link(b"h", b'1', b"/s")])).expect("read");
    assert!(matches!(&hard[1].0.kind, Kind::Hardlink { target } if target.as_bytes() == b"s"));
}

#[test]
fn whiteouts_are_told_apart() {
    let items: Vec<_> = read(&archive(&[file(b"d/.wh.gone", b""), file(b"d/.wh..wh..opq", b""), file(b"d/kept", b"")]))
        .expect("read")
        .into_iter()
        .map(|(_, item, _)| item)
        .collect();
    let path = |text: &str| EntryPath::parse(text.as_bytes()).expect("path");
    assert_eq!(items, [LayerItem::Hidden(path("d/gone")), LayerItem::Opaque(path("d")), LayerItem::Present]);
}

fn entry(path: &str, kind: Kind) -> Entry {
    let path = EntryPath::parse(path.as_bytes()).expect("path");
    Entry { path, kind, mode: 0o755, uid: 0, gid: 0, mtime: Mtime { seconds: 1_700_000_000, nanos: 0 }, xattrs: BTreeMap::new() }
}

#[test]
fn what_we_write_we_read() {
    let long = format!("{}/{}", "d".repeat(200), "é".repeat(100));
    let mut special = entry("bin/ping", Kind::File { size: 3 });
    special.xattrs.insert("security.capability".into(), vec![0, 1, b'\n', b'=', 255]);
    (special.mode, special.uid, special.gid) = (0o6755, 3_000_000, 4_294_967_294);
    let mut early = entry("early", Kind::File { size: 0 });
    early.mtime.seconds = -5;
    let entries = [
        entry(".", Kind::Folder),
        entry("bin", Kind::Folder),
        special,
        early,
        entry(&long, Kind::File { size: 513 }),
        entry("l", Kind::Symlink { target: vec![b't'; 300] }),
        entry("h", Kind::Hardlink { target: EntryPath::parse(long.as_bytes()).expect("path") }),
        entry("null", Kind::Char { major: 1, minor: 3 }),
        entry("disk", Kind::Block { major: 8, minor: 1 }),
        entry("pipe", Kind::Fifo),
    ];
    let mut bytes = Vec::new();
    for entry in &entries {
        encode_header(entry, &mut bytes);
        if let Kind::File { size } = entry.kind {
            bytes.resize(bytes.len() + size as usize, b'c');
            bytes.extend_from_slice(padding(size));
        }
    }
    bytes.extend_from_slice(&END);
    let back: Vec<_> = read(&bytes).expect("read").into_iter().map(|(entry, ..)| entry).collect();
    assert_eq!(back, entries);
}

#[test]
fn headers_and_contents_make_up_the_archive() {
    let bytes = [archive(&[pax(&[("path", b"x/y")]), file(b"z", &[7; 1300]), link(b"l", b'2', b"t")]), vec![0; 9000]].concat();
    let mut reader = Reader::new(bytes.as_slice(), Limits::default());
    let mut again = Vec::new();
    let mut buffer = [0u8; 100];
    while reader.next().expect("next").is_some() {
        again.extend(reader.take_raw());
        loop {
            let got = reader.read(&mut buffer).expect("content");
            if got == 0 {
                break;
            }
            again.extend_from_slice(&buffer[..got]);
        }
    }
    again.extend(reader.take_raw());
    assert!(again == bytes);
}

/// Damaged archives end in an error or are read; nothing panics, and nothing that is read leaves the root.
#[test]
fn damaged_archives_never_panic() {
    let whole = archive(&[
        header(b"d/", b'5', 0, &[]),
        pax(&[("path", b"d/long"), ("SCHILY.xattr.user.x", b"y"), ("mtime", b"1.5")]),
        file(b"x", b"content"),
        extension(b'L', b"d/other\0"),
        file(b"y", &[7; 600]),
        link(b"d/s", b'2', b"../.."),
        link(b"d/h", b'1', b"d/long"),
        file(b"d/.wh.gone", b""),
    ]);
    let mut state = 42u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut accepted = 0;
    for _ in 0..4_000 {
        let mut bytes = whole.clone();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            bytes[at] = [0, b'/', b'.', b'7', 0xff, random(256) as u8][random(6)];
            // Most damage would stop at the sum; so it is made to fit.
            let start = at / 512 * 512;
            bytes[start + 148..start + 156].copy_from_slice(b"        ");
            let sum: u32 = bytes[start..start + 512].iter().map(|&b| u32::from(b)).sum();
            bytes[start + 148..start + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        bytes.truncate(bytes.len() - random(2) * random(1024));
        if let Ok(members) = read(&bytes) {
            accepted += 1;
            assert!(members.iter().all(|(entry, ..)| entry.path.as_bytes().split(|&b| b == b'/').all(|part| part != b"..")));
        }
    }
    assert!(accepted > 50, "{accepted}");
}

#[test]
fn reads_what_gnu_tar_writes() {
    let folder = std::env::temp_dir().join(format!("wharf-oci-{}", std::process::id()));
    let deep = folder.join("t").join("x".repeat(120)).join("y".repeat(120));
    std::fs::create_dir_all(&deep).expect("folders");
    std::fs::write(deep.join("file"), vec![9; 5000]).expect("file");
    std::os::unix::fs::symlink("z".repeat(150), folder.join("t/link")).expect("link");
    std::fs::hard_link(deep.join("file"), folder.join("t/zhard")).expect("hard link");
    for format in ["gnu", "pax", "posix", "oldgnu"] {
        let Ok(out) = std::process::Command::new("tar")
            .args(["--sort=name", "-C"])
            .arg(folder.join("t"))
            .args([&format!("--format={format}"), "-cf", "-", "."])
            .output()
        else {
            println!("skipped: tar");
            return;
        };
        assert!(out.status.success());
        let members = read(&out.stdout).expect(format);
        assert_eq!(members.len(), 6, "{format}");
        assert!(
            members.iter().any(|(entry, _, content)| matches!(entry.kind, Kind::File { size: 5000 }) && content == &vec![9; 5000]),
            "{format}"
        );
        assert!(members.iter().any(|(entry, ..)| matches!(&entry.kind, Kind::Symlink { target } if target.len() == 150)), "{format}");
        assert!(members.iter().any(|(entry, ..)| matches!(entry.kind, Kind::Hardlink { .. })), "{format}");
    }
    std::fs::remove_dir_all(folder).expect("removed");
}
