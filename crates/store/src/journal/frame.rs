//! How batches stand in a file.
//!
//! A file begins with a frame whose payload is its head (kind, first revision, salt). Frames follow at multiples of 8
//! bytes; each is `magic, payload length, payload CRC32, header CRC32`, then the payload. Both sums are seeded with the
//! file's salt and the frame's offset, so that bytes of another file or another place never pass.

use super::Record;
use crate::types::Revision;
use bytes::Bytes;
use std::sync::Arc;

const MAGIC: u32 = 0x4c4a_4857; // `WHJL` as it stands in the file
const HEADER: usize = 16;
const ALIGN: usize = 8;

/// What a file says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// `J` journal, `S` snapshot; other logs have letters of their own.
    pub kind: u8,
    /// The first revision of a journal file; the revision of a snapshot.
    pub revision: Revision,
    /// Seeds the sums.
    pub salt: u32,
}

impl Head {
    /// Bytes of the encoded head.
    pub const LENGTH: usize = 32;

    /// The file's first frame.
    pub fn encode(&self) -> Vec<u8> {
        let mut payload = vec![self.kind, 1];
        payload.extend_from_slice(&self.revision.to_le_bytes());
        payload.extend_from_slice(&self.salt.to_le_bytes());
        frame(0, 0, &payload)
    }

    /// Reads a file's first frame, and where the next begins.
    pub fn decode(file: &[u8]) -> Option<(Self, usize)> {
        let (payload, next) = read(file, 0, 0).ok()?;
        let mut reader = Reader(payload);
        let (kind, format) = (reader.u8()?, reader.u8()?);
        let head = Self { kind, revision: reader.u64()?, salt: reader.u32()? };
        (format == 1).then_some((head, next))
    }
}

/// A frame with its padding.
pub fn frame(salt: u32, offset: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + payload.len() + ALIGN);
    bytes.extend_from_slice(&MAGIC.to_le_bytes());
    bytes.extend_from_slice(&(u32::try_from(payload.len()).unwrap_or(u32::MAX)).to_le_bytes());
    bytes.extend_from_slice(&sum(salt, offset, payload).to_le_bytes());
    let header = sum(salt, offset, &bytes);
    bytes.extend_from_slice(&header.to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
    bytes
}

/// Why no frame can be read at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The file ends, or there is nothing but zeros from here on.
    End,
    /// Something else stands here.
    Bad,
}

/// The payload of the frame at an offset, and where the next begins.
///
/// # Errors
/// When there is none.
pub fn read(file: &[u8], salt: u32, offset: usize) -> Result<(&[u8], usize), Unreadable> {
    let rest = file.get(offset..).unwrap_or_default();
    let bad = || if rest.iter().all(|&byte| byte == 0) { Unreadable::End } else { Unreadable::Bad };
    let (payload, length) = checked(rest, salt, offset as u64).ok_or_else(bad)?;
    Ok((payload, offset + length))
}

fn checked(rest: &[u8], salt: u32, offset: u64) -> Option<(&[u8], usize)> {
    let header = rest.get(..HEADER)?;
    let mut reader = Reader(header);
    let (magic, length, payload_sum, header_sum) = (reader.u32()?, reader.u32()?, reader.u32()?, reader.u32()?);
    if magic != MAGIC || header_sum != sum(salt, offset, header.get(..12)?) {
        return None;
    }
    let end = HEADER.checked_add(usize::try_from(length).ok()?)?;
    let payload = rest.get(HEADER..end)?;
    (payload_sum == sum(salt, offset, payload)).then(|| (payload, end.next_multiple_of(ALIGN)))
}

/// How many frames can be read somewhere behind an offset where none can.
pub(super) fn later_frames(file: &[u8], salt: u32, offset: usize) -> usize {
    let (mut at, mut found) = (offset.next_multiple_of(ALIGN), 0);
    while let Some(rest) = file.get(at..).filter(|rest| rest.len() >= HEADER) {
        at += match checked(rest, salt, at as u64) {
            Some((_, length)) => {
                found += 1;
                length
            }
            None => ALIGN,
        };
    }
    found
}

fn sum(salt: u32, offset: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(salt);
    hasher.update(&offset.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

/// Marks of a record.
const PLAIN: u8 = 1;
const SEALED: u8 = 2;
const GONE: u8 = 3;

/// Adds a record to a payload; `sealed` stands for its value on the disk.
pub(super) fn encode_record(out: &mut Vec<u8>, record: &Record, sealed: Option<&[u8]>) {
    let (mark, value) = match (&record.value, sealed) {
        (Some(_), Some(sealed)) => (SEALED, sealed),
        (Some(value), None) => (PLAIN, &**value),
        (None, _) => (GONE, &[][..]),
    };
    out.push(mark);
    out.extend_from_slice(&record.revision.to_le_bytes());
    out.extend_from_slice(&(u32::try_from(record.key.len()).unwrap_or(u32::MAX)).to_le_bytes());
    out.extend_from_slice(&(u32::try_from(value.len()).unwrap_or(u32::MAX)).to_le_bytes());
    out.extend_from_slice(record.key.as_bytes());
    out.extend_from_slice(value);
}

/// The records of a payload, each with whether its value is sealed; `None` when the payload is no list of records.
pub(super) fn decode_records(payload: &[u8]) -> Option<Vec<(Record, bool)>> {
    let mut reader = Reader(payload);
    let mut records = Vec::new();
    while !reader.0.is_empty() {
        let (mark, revision) = (reader.u8()?, reader.u64()?);
        let (key, value) = (reader.u32()?, reader.u32()?);
        let key: Arc<str> = std::str::from_utf8(reader.take(usize::try_from(key).ok()?)?).ok()?.into();
        let value = Bytes::copy_from_slice(reader.take(usize::try_from(value).ok()?)?);
        if !matches!(mark, PLAIN | SEALED | GONE) {
            return None;
        }
        let value = (mark != GONE).then_some(value);
        records.push((Record { key, revision, value }, mark == SEALED));
    }
    Some(records)
}

/// Reads little-endian numbers off the front.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(length)?;
        self.0 = tail;
        Some(head)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_pass_only_where_they_were_written() {
        let mut file = Head { kind: b'J', revision: 7, salt: 99 }.encode();
        let (head, first) = Head::decode(&file).expect("head");
        file.extend(frame(head.salt, first as u64, b"one"));
        let (payload, second) = read(&file, head.salt, first).expect("frame");
        assert_eq!(payload, b"one");
        assert_eq!(read(&file, head.salt, second), Err(Unreadable::End));
        let moved = file[first..second].to_vec();
        file.extend(moved);
        assert_eq!(read(&file, head.salt, second), Err(Unreadable::Bad), "the same bytes elsewhere");
        assert_eq!(read(&file, 98, first), Err(Unreadable::Bad), "another file's salt");
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let file = frame(5, 0, b"payload");
        for bit in 0..(HEADER + 7) * 8 {
            let mut flipped = file.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(read(&flipped, 5, 0), Err(Unreadable::Bad), "bit {bit}");
        }
    }

    #[test]
    fn no_payload_makes_records_panic() {
        let record = Record { key: "/a".into(), revision: 1, value: Some(Bytes::from_static(b"v")) };
        let mut payload = Vec::new();
        encode_record(&mut payload, &record, None);
        assert_eq!(decode_records(&payload), Some(vec![(record, false)]));
        for cut in 1..payload.len() {
            assert_eq!(decode_records(&payload[..cut]), None);
        }
    }
}
