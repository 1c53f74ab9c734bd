//! The one writer of archives: equal members give equal bytes.

use super::BLOCK;
use super::entry::{Entry, Kind};

/// The end of an archive: two blocks of zeros.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The zeros after a file's content of `size` bytes.
pub fn padding(size: u64) -> &'static [u8] {
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    let length = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
    ZEROS.get(..length as usize).unwrap_or_default()
}

/// Largest numbers of the octal fields of 8 and 12 bytes.
const MAX_SMALL: u64 = 0o7_777_777;
const MAX_LARGE: u64 = 0o77_777_777_777;

/// Appends the header of a member: ustar, with a pax header before it where ustar cannot say it. Owners are numbers only, times whole
/// seconds. A file's content and [`padding`] follow; after the last member comes [`END`].
pub fn encode_header(entry: &Entry, out: &mut Vec<u8>) {
    let mut name = entry.path.as_bytes().to_vec();
    if entry.kind == Kind::Folder {
        if name.is_empty() {
            name.push(b'.');
        }
        name.push(b'/');
    }
    let link: &[u8] = match &entry.kind {
        Kind::Symlink { target } => target,
        Kind::Hardlink { target } => target.as_bytes(),
        _ => &[],
    };
    let size = if let Kind::File { size } = entry.kind { size } else { 0 };
    let records = pax_records(entry, &name, link, size);
    if !records.is_empty() {
        let base = entry.path.split().map_or(Vec::new(), |(_, name)| name.iter().copied().take(80).collect());
        out.extend_from_slice(&block(
            &[b"PaxHeaders/".as_slice(), &base].concat(),
            &[],
            b'x',
            &Numbers { size: records.len() as u64, mode: 0o644, ..Numbers::default() },
        ));
        out.extend_from_slice(&records);
        out.extend_from_slice(padding(records.len() as u64));
    }
    let (kind, major, minor) = match &entry.kind {
        Kind::File { .. } => (b'0', 0, 0),
        Kind::Hardlink { .. } => (b'1', 0, 0),
        Kind::Symlink { .. } => (b'2', 0, 0),
        Kind::Char { major, minor } => (b'3', *major, *minor),
        Kind::Block { major, minor } => (b'4', *major, *minor),
        Kind::Folder => (b'5', 0, 0),
        Kind::Fifo => (b'6', 0, 0),
    };
    let mtime = u64::try_from(entry.mtime.seconds).unwrap_or(0);
    let numbers = Numbers { mode: entry.mode & 0o7777, uid: entry.uid.into(), gid: entry.gid.into(), size, mtime, major, minor };
    out.extend_from_slice(&block(&name, link, kind, &numbers));
}

fn pax_records(entry: &Entry, name: &[u8], link: &[u8], size: u64) -> Vec<u8> {
    let mut records: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let mut add = |key: &str, value: Vec<u8>| records.push((key.as_bytes().to_vec(), value));
    for (attribute, value) in &entry.xattrs {
        add(&format!("SCHILY.xattr.{attribute}"), value.clone());
    }
    if entry.gid > MAX_SMALL as u32 {
        add("gid", entry.gid.to_string().into_bytes());
    }
    if link.len() > 100 {
        add("linkpath", link.to_vec());
    }
    if u64::try_from(entry.mtime.seconds).is_ok_and(|seconds| seconds > MAX_LARGE) || entry.mtime.seconds < 0 {
        add("mtime", entry.mtime.seconds.to_string().into_bytes());
    }
    if name.len() > 100 {
        add("path", name.to_vec());
    }
    if size > MAX_LARGE {
        add("size", size.to_string().into_bytes());
    }
    if entry.uid > MAX_SMALL as u32 {
        add("uid", entry.uid.to_string().into_bytes());
    }
    let mut out = Vec::new();
    for (key, value) in &records {
        let payload = key.len() + value.len() + 3;
        // The length counts its own digits.
        let mut length = payload + payload.to_string().len();
        if length.to_string().len() + payload > length {
            length += 1;
        }
        out.extend_from_slice(length.to_string().as_bytes());
        for part in [b" ".as_slice(), key, b"=", value, b"\n"] {
            out.extend_from_slice(part);
        }
    }
    out
}

#[derive(Default)]
struct Numbers {
    mode: u32,
    uid: u64,
    gid: u64,
    size: u64,
    mtime: u64,
    major: u32,
    minor: u32,
}

fn block(name: &[u8], link: &[u8], kind: u8, numbers: &Numbers) -> [u8; BLOCK] {
    let mut block = [0u8; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block.iter_mut().skip(at).zip(bytes).for_each(|(slot, &byte)| *slot = byte);
    // What does not fit stands in the pax header; the field then holds its beginning.
    put(0, name.get(..100).unwrap_or(name));
    put(157, link.get(..100).unwrap_or(link));
    // Seven or eleven octal digits; what does not fit is 0 here and stands in the pax header.
    let small = |value: u64| format!("{:07o}\0", if value > MAX_SMALL { 0 } else { value });
    let large = |value: u64| format!("{:011o}\0", if value > MAX_LARGE { 0 } else { value });
    put(100, small(numbers.mode.into()).as_bytes());
    put(108, small(numbers.uid).as_bytes());
    put(116, small(numbers.gid).as_bytes());
    put(124, large(numbers.size).as_bytes());
    put(136, large(numbers.mtime).as_bytes());
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    put(329, small(numbers.major.into()).as_bytes());
    put(337, small(numbers.minor.into()).as_bytes());
    let sum: u64 = block.iter().map(|&byte| u64::from(byte)).sum();
    let text = format!("{sum:06o}\0 ");
    block.iter_mut().skip(148).zip(text.as_bytes()).for_each(|(slot, &byte)| *slot = byte);
    block
}
