//! Archives that ADD unpacks.

use crate::error::Trouble;
use crate::writer::LayerWriter;
use base::files::FileError;
use oci::tar::{Entry, EntryPath, Guard, Kind, Limits, Reader};
use std::fs::File;
use std::io::{self, Read, Seek};

/// Opens what is a tar archive, compressed or not; `None` for all else.
pub(crate) fn archive(mut file: File, shown: &str) -> Result<Option<impl Read>, Trouble> {
    let fail = |error| FileError::new("read", shown, error);
    let mut head = Vec::new();
    file.by_ref().take(8).read_to_end(&mut head).map_err(fail)?;
    file.rewind().map_err(fail)?;
    const COMPRESSED: [(&[u8], &str); 3] = [(b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz")];
    if let Some((_, name)) = COMPRESSED.iter().find(|(magic, _)| head.starts_with(magic)) {
        let trouble = Trouble::new(format!(
            "`{shown}` is compressed with {name}: ADD would unpack it if it is an archive, and {name} is not supported"
        ));
        return Err(trouble.hint("compress it with gzip, use COPY, or write ADD --unpack=false"));
    }
    let first = blobs::decode(&file, shown)?;
    let is_archive = matches!(Reader::new(first, Limits::default()).next(), Ok(Some(_)));
    file.rewind().map_err(fail)?;
    if is_archive { Ok(Some(blobs::decode(file, shown)?)) } else { Ok(None) }
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
