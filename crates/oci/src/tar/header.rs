//! The 512 bytes before a member.

use super::BLOCK;
use super::error::Fault;

/// A header's fields as they stand, numbers read.
#[derive(Debug)]
pub(super) struct RawHeader {
    pub name: Vec<u8>,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    pub mtime: i64,
    pub kind: u8,
    pub link: Vec<u8>,
    pub major: u32,
    pub minor: u32,
}

pub(super) fn parse(block: &[u8; BLOCK]) -> Result<RawHeader, Fault> {
    verify(block)?;
    let field = |from: usize, length: usize| block.get(from..from + length).unwrap_or_default();
    let text = |from, length| until_nul(field(from, length)).to_vec();
    let posix = field(257, 6) == b"ustar\0";
    let known = posix || field(257, 8) == b"ustar  \0";
    let mut name = text(0, 100);
    let prefix = if posix { text(345, 155) } else { Vec::new() };
    if !prefix.is_empty() {
        name = [prefix.as_slice(), b"/", name.as_slice()].concat();
    }
    let kind = block.get(156).copied().unwrap_or_default();
    let device = |from| if known && matches!(kind, b'3' | b'4') { small(field(from, 8), "device") } else { Ok(0) };
    Ok(RawHeader {
        name,
        // Some writers put the file type's bits here too.
        mode: (number(field(100, 8), "mode")? & 0o7777) as u32,
        uid: id(number(field(108, 8), "uid")?, "uid")?,
        gid: id(number(field(116, 8), "gid")?, "gid")?,
        size: u64::try_from(number(field(124, 12), "size")?).map_err(|_| Fault::Number("size"))?,
        mtime: number(field(136, 12), "mtime")?,
        kind,
        link: text(157, 100),
        major: device(329)?,
        minor: device(337)?,
    })
}

/// A user or group id; the highest is `(uid_t)-1`, which Linux keeps for itself.
pub(super) fn id(value: i64, what: &'static str) -> Result<u32, Fault> {
    u32::try_from(value).ok().filter(|&id| id != u32::MAX).ok_or(Fault::Number(what))
}

fn verify(block: &[u8; BLOCK]) -> Result<(), Fault> {
    let stored = number(block.get(148..156).unwrap_or_default(), "checksum").map_err(|_| Fault::Checksum)?;
    let (mut unsigned, mut signed) = (0i64, 0i64);
    for (at, &byte) in block.iter().enumerate() {
        let byte = if (148..156).contains(&at) { b' ' } else { byte };
        unsigned += i64::from(byte);
        // Old writers summed signed characters.
        signed += i64::from(byte.cast_signed());
    }
    if stored == unsigned || stored == signed { Ok(()) } else { Err(Fault::Checksum) }
}

fn until_nul(field: &[u8]) -> &[u8] {
    field.split(|&b| b == 0).next().unwrap_or_default()
}

fn small(field: &[u8], what: &'static str) -> Result<u32, Fault> {
    u32::try_from(number(field, what)?).map_err(|_| Fault::Number(what))
}

/// Octal digits between blanks, or GNU's big-endian binary when the first bit is set. An empty field is 0.
fn number(field: &[u8], what: &'static str) -> Result<i64, Fault> {
    if field.first().is_some_and(|&first| first & 0x80 != 0) {
        return binary(field).ok_or(Fault::Number(what));
    }
    let blank = |b: &u8| matches!(b, b' ' | 0);
    let digits: Vec<u8> = field.iter().copied().skip_while(|b| blank(b)).collect();
    let length = digits.iter().position(blank).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(length);
    if !rest.iter().all(blank) || digits.iter().any(|b| !(b'0'..=b'7').contains(b)) {
        return Err(Fault::Number(what));
    }
    digits.iter().try_fold(0i64, |sum, &b| sum.checked_mul(8)?.checked_add(i64::from(b - b'0'))).ok_or(Fault::Number(what))
}

fn binary(field: &[u8]) -> Option<i64> {
    let (&first, rest) = field.split_first()?;
    let start = match first {
        0x80 => 0i128,
        0xff => -1,
        _ => return None,
    };
    let value = rest.iter().try_fold(start, |sum, &byte| (sum.abs() < 1 << 100).then_some(sum << 8 | i128::from(byte)))?;
    i64::try_from(value).ok()
}
