//! Archives that ADD unpacks.

use crate::error::Trouble;
use crate::writer::LayerWriter;
use base::files::FileError;
use bzip2::read::MultiBzDecoder;
use lzma_rust2::XzReader;
use oci::tar::{Entry, EntryPath, Guard, Kind, Limits, Reader};
use std::fs::File;
use std::io::{self, Read, Seek};

/// Dictionaries of `xz -9` have half of it; `xz --lzma2=dict=1536MiB` is nothing for a builder.
const XZ_MEMORY_KIB: u32 = 128 * 1024;

/// What is in a file whatever compressed it: with gzip, zstd, bzip2 or xz, as docker knows them. All of them have bounds of their own
/// for what they keep in memory.
fn decoded(mut file: File, shown: &str) -> Result<Box<dyn Read>, Trouble> {
    let fail = |error| FileError::new("read", shown, error);
    let mut head = Vec::new();
    file.by_ref().take(6).read_to_end(&mut head).map_err(fail)?;
    file.rewind().map_err(fail)?;
    let buffered = |file| io::BufReader::with_capacity(128 * 1024, file);
    Ok(match head.as_slice() {
        [b'B', b'Z', b'h', ..] => Box::new(MultiBzDecoder::new(buffered(file))),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Box::new(XzReader::new_mem_limit(buffered(file), true, XZ_MEMORY_KIB)),
        // What docker does not take off is no archive: it is copied as it is.
        [0x04, 0x22, 0x4d, 0x18, ..] => Box::new(file),
        _ => Box::new(blobs::decode(file, shown)?),
    })
}

/// Opens what is a tar archive, compressed or not; `None` for all else.
pub(crate) fn archive(file: File, shown: &str) -> Result<Option<impl Read>, Trouble> {
    let fail = |error| FileError::new("read", shown, error);
    let again = file.try_clone().map_err(fail)?;
    let mut first = decoded(file, shown)?;
    let mut block = Vec::new();
    match first.by_ref().take(512).read_to_end(&mut block) {
        Err(error) if error.kind() == io::ErrorKind::OutOfMemory => {
            let limit = XZ_MEMORY_KIB / 1024;
            let trouble =
                Trouble::new(format!("`{shown}` needs more than {limit} MiB of memory to be decompressed, and ADD gives no more"));
            return Err(trouble.hint("compress it with a smaller dictionary, such as that of `xz -9`"));
        }
        // Not what its first bytes say; so no archive.
        Err(_) => return Ok(None),
        Ok(_) => {}
    }
    if !matches!(Reader::new(block.chain(first), Limits::default()).next(), Ok(Some(_))) {
        return Ok(None);
    }
    let mut again = again;
    again.rewind().map_err(fail)?;
    Ok(Some(decoded(again, shown)?))
}

/// Unpacks an archive into a folder of the layer. Owners, modes and times are the archive's; its own root changes nothing.
pub(crate) fn unpack(
    input: impl Read,
    shown: &str,
    folder: &EntryPath,
    owner: Option<(u32, u32)>,
    layer: &mut LayerWriter<'_>,
) -> Result<(), Trouble> {
    let fail = |error: oci::tar::TarError| Trouble::new(format!("`{shown}`: {error}"));
    let mut reader = Reader::new(io::BufReader::with_capacity(128 * 1024, input), Limits::default());
    let mut guard = Guard::new();
    while let Some(entry) = reader.next().map_err(fail)? {
        let checked = guard.check(&entry).and_then(|()| oci::layer::classify(&entry));
        checked.map_err(|fault| fail(reader.error_at(&entry.path, fault)))?;
        if entry.path.is_root() {
            continue;
        }
        let placed = place(entry, folder, owner, layer)?;
        let mut content = Content(&mut reader);
        let is_file = matches!(placed.kind, Kind::File { .. });
        layer.put(&placed, if is_file { Some(&mut content) } else { None })?;
    }
    Ok(())
}

fn place(mut entry: Entry, folder: &EntryPath, owner: Option<(u32, u32)>, layer: &mut LayerWriter<'_>) -> Result<Entry, Trouble> {
    let inside = |path: &EntryPath, layer: &LayerWriter<'_>| -> Result<EntryPath, Trouble> {
        let Some((above, name)) = path.split() else { return Ok(folder.clone()) };
        let above = layer.resolve(&[folder.as_bytes(), b"/", above.as_bytes()].concat())?;
        above.join(name).map_err(|fault| Trouble::new(fault.to_string()))
    };
    let path = inside(&entry.path, layer)?;
    if let Kind::Hardlink { target } = &entry.kind {
        entry.kind = Kind::Hardlink { target: inside(target, layer)? };
    }
    let above = path.split().map(|(above, _)| above).unwrap_or_default();
    layer.folders(&above, owner.unwrap_or_default())?;
    if let Some((uid, gid)) = owner {
        (entry.uid, entry.gid) = (uid, gid);
    }
    entry.mtime.nanos = 0;
    Ok(Entry { path, ..entry })
}

struct Content<'a, R>(&'a mut Reader<R>);

impl<R: Read> Read for Content<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(io::Error::other)
    }
}
