//! The files of a zip archive, as `all.zip` of an OSV bucket is one (APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16).

use flate2::{Decompress, FlushDecompress, Status};

/// A file's content is at most this long.
const LARGEST: usize = 64 << 20;

/// Calls back with the name of every file, and its content or why it cannot be read.
///
/// # Errors
/// What is wrong with the archive, in words; files before that were handed on.
pub(super) fn each(archive: &[u8], mut file: impl FnMut(&str, Result<&[u8], String>)) -> Result<(), String> {
    let end = end(archive).ok_or("it has no end of a central directory")?;
    let count = u64::from(number::<2>(archive, end + 10).ok_or("its end is cut off")?);
    let mut at = place(number::<4>(archive, end + 16)).ok_or("its end is cut off")?;
    if count == 0xffff || at == 0xffff_ffff {
        return zip64(archive, end, file);
    }
    let mut unpack = Unpack::default();
    for _ in 0..count {
        at = one(archive, at, &mut unpack, &mut file)?;
    }
    Ok(())
}

/// The same where the number of files or the directory's place do not fit.
fn zip64(archive: &[u8], end: usize, mut file: impl FnMut(&str, Result<&[u8], String>)) -> Result<(), String> {
    let broken = "its end of the central directory (zip64) is broken";
    let locator = end.checked_sub(20).filter(|at| number::<4>(archive, *at) == Some(0x0706_4b50)).ok_or(broken)?;
    let record = place64(archive, locator + 8).ok_or(broken)?;
    if number::<4>(archive, record) != Some(0x0606_4b50) {
        return Err(broken.to_owned());
    }
    let (count, mut at) = (place64(archive, record + 32).ok_or(broken)?, place64(archive, record + 48).ok_or(broken)?);
    let mut unpack = Unpack::default();
    for _ in 0..count.min(archive.len()) {
        at = one(archive, at, &mut unpack, &mut file)?;
    }
    Ok(())
}

/// Hands one file on; the place of the next.
fn one(archive: &[u8], at: usize, unpack: &mut Unpack, file: &mut impl FnMut(&str, Result<&[u8], String>)) -> Result<usize, String> {
    let cut = || "its central directory is cut off".to_owned();
    if number::<4>(archive, at) != Some(0x0201_4b50) {
        return Err(cut());
    }
    let method = number::<2>(archive, at + 10).ok_or_else(cut)?;
    let packed = place(number::<4>(archive, at + 20)).ok_or_else(cut)?;
    let [name, extra, comment] = [28, 30, 32].map(|field| place(number::<2>(archive, at + field)));
    let (name, extra, comment) = (name.ok_or_else(cut)?, extra.ok_or_else(cut)?, comment.ok_or_else(cut)?);
    let header = place(number::<4>(archive, at + 42)).ok_or_else(cut)?;
    let text = archive.get(at + 46..at + 46 + name).ok_or_else(cut)?;
    let text = String::from_utf8_lossy(text);
    if !text.ends_with('/') {
        file(&text, content(archive, header, packed, method, unpack));
    }
    Ok(at + 46 + name + extra + comment)
}

fn content<'u>(archive: &'u [u8], header: usize, packed: usize, method: u32, unpack: &'u mut Unpack) -> Result<&'u [u8], String> {
    let cut = || "it is cut off".to_owned();
    if header == 0xffff_ffff || packed == 0xffff_ffff {
        return Err("it is larger than 4 GB".to_owned());
    }
    if number::<4>(archive, header) != Some(0x0403_4b50) {
        return Err(cut());
    }
    let name = place(number::<2>(archive, header + 26)).ok_or_else(cut)?;
    let extra = place(number::<2>(archive, header + 28)).ok_or_else(cut)?;
    let from = header + 30 + name + extra;
    let bytes = archive.get(from..from.saturating_add(packed)).ok_or_else(cut)?;
    let content = match method {
        0 => bytes,
        8 => unpack.deflated(bytes)?,
        other => return Err(format!("it is packed by method {other}; only stored and deflated files are read")),
    };
    if content.len() > LARGEST { Err(too_large()) } else { Ok(content) }
}

fn too_large() -> String {
    format!("it is larger than {LARGEST} bytes")
}

/// One file's room serves all of them: an archive has hundreds of thousands, and room that comes and goes between what stays of each is
/// never given back.
struct Unpack {
    inflate: Decompress,
    content: Vec<u8>,
}

impl Default for Unpack {
    fn default() -> Self {
        Self { inflate: Decompress::new(false), content: Vec::new() }
    }
}

impl Unpack {
    fn deflated(&mut self, packed: &[u8]) -> Result<&[u8], String> {
        const STEP: usize = 64 << 10;
        self.inflate.reset(false);
        self.content.clear();
        loop {
            if self.content.len() == self.content.capacity() {
                self.content.reserve(STEP);
            }
            let before = (self.inflate.total_in(), self.inflate.total_out());
            let rest = usize::try_from(before.0).ok().and_then(|read| packed.get(read..)).unwrap_or_default();
            let status = self.inflate.decompress_vec(rest, &mut self.content, FlushDecompress::None).map_err(|error| error.to_string())?;
            if self.content.len() > LARGEST {
                return Err(too_large());
            }
            if status == Status::StreamEnd {
                return Ok(&self.content);
            }
            if before == (self.inflate.total_in(), self.inflate.total_out()) {
                return Err("it is cut off".to_owned());
            }
        }
    }
}

/// The end record stands last, behind it only a comment of at most 65,535 bytes.
fn end(archive: &[u8]) -> Option<usize> {
    let last = archive.len().checked_sub(22)?;
    let first = last.saturating_sub(0xffff);
    (first..=last).rev().find(|at| number::<4>(archive, *at) == Some(0x0605_4b50))
}

fn number<const N: usize>(archive: &[u8], at: usize) -> Option<u32> {
    let bytes = archive.get(at..at.checked_add(N)?)?;
    Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte)))
}

fn place(number: Option<u32>) -> Option<usize> {
    usize::try_from(number?).ok()
}

fn place64(archive: &[u8], at: usize) -> Option<usize> {
    let (low, high) = (number::<4>(archive, at)?, number::<4>(archive, at.checked_add(4)?)?);
    usize::try_from(u64::from(high) << 32 | u64::from(low)).ok().filter(|place| *place <= archive.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn archive(name: &str, content: &[u8]) -> Vec<u8> {
        packed(&[(name, content, 8)])
    }

    /// An archive of deflated files, which say that they are packed by some method.
    fn packed(files: &[(&str, &[u8], usize)]) -> Vec<u8> {
        let le = |value: usize, bytes: usize| value.to_le_bytes()[..bytes].to_vec();
        let (mut out, mut directory) = (Vec::new(), Vec::new());
        for (name, content, method) in files {
            let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
            packer.write_all(content).expect("packed");
            let packed = packer.finish().expect("packed");
            let sizes = [le(0, 4), le(packed.len(), 4), le(content.len(), 4), le(name.len(), 2), le(0, 2)].concat();
            let (method, header) = (le(*method, 2), le(out.len(), 4));
            out.extend([&b"PK\x03\x04"[..], &le(20, 2), &le(0, 2), &method, &le(0, 4), &sizes, name.as_bytes(), &packed].concat());
            directory.extend([&b"PK\x01\x02"[..], &le(20, 2), &le(20, 2), &le(0, 2), &method, &le(0, 4), &sizes, &[0; 10]].concat());
            directory.extend([&header[..], name.as_bytes()].concat());
        }
        let (at, length) = (out.len(), directory.len());
        out.extend(directory);
        out.extend(
            [&b"PK\x05\x06"[..], &le(0, 4), &le(files.len(), 2), &le(files.len(), 2), &le(length, 4), &le(at, 4), &le(0, 2)].concat(),
        );
        out
    }

    #[test]
    fn a_file_that_cannot_be_unpacked_is_told_and_the_next_one_read() {
        let mut seen = Vec::new();
        let files: [(&str, &[u8], usize); 3] = [("a", b"1", 8), ("b", b"2", 99), ("c", b"3", 8)];
        each(&packed(&files), |name, content| seen.push((name.to_owned(), content.ok().map(<[u8]>::to_vec)))).expect("read");
        assert_eq!(seen, [("a".to_owned(), Some(b"1".to_vec())), ("b".to_owned(), None), ("c".to_owned(), Some(b"3".to_vec()))]);
    }

    #[test]
    fn a_file_comes_out_as_it_went_in() {
        let mut seen = Vec::new();
        each(&archive("a/b.json", b"{\"id\":1}"), |name, content| seen.push((name.to_owned(), content.map(<[u8]>::to_vec)))).expect("read");
        assert_eq!(seen, [("a/b.json".to_owned(), Ok(b"{\"id\":1}".to_vec()))]);
        assert!(each(b"", |_, _| {}).is_err());
    }

    #[test]
    fn one_room_serves_files_of_any_length() {
        let mut unpack = Unpack::default();
        for length in [300_000, 5, 0, 65_536, 131_072] {
            let content: Vec<u8> = (0..length).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
            let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
            packer.write_all(&content).expect("packed");
            let packed = packer.finish().expect("packed");
            assert_eq!(unpack.deflated(&packed).expect("whole"), content);
            assert!(unpack.deflated(packed.get(..packed.len() - 1).unwrap_or_default()).is_err(), "{length}");
        }
        assert!(unpack.deflated(b"\xff\xff").is_err());
    }

    proptest! {
        #[test]
        fn a_broken_archive_is_an_error_and_no_more(at in 0_usize..150, byte in any::<u8>(), cut in 0_usize..150) {
            let mut bytes = archive("x", b"content content content");
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            bytes.drain(..cut.min(bytes.len()));
            let _ = each(&bytes, |_, _| {});
        }
    }
}
