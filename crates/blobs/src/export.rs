//! A layer's archive again, byte by byte, out of its tree and its recipe.

use crate::error::{BlobError, io_at};
use crate::meta::LayerMeta;
use crate::recipe::{RecipeReader, Step};
use crate::tree::Folder;
use base::files::FileError;
use flate2::Crc;
use oci::tar::EntryPath;
use oci::{DiffId, Hasher};
use std::io::{Read, Write};
use std::path::Path;

/// Writes the archive of the layer in `folder`.
///
/// When a file is not what it was, or the whole not what its digest says, the error comes after bytes have been written.
pub(crate) fn export(folder: &Path, meta: &LayerMeta, out: &mut dyn Write) -> Result<(), BlobError> {
    let mut recipe = RecipeReader::open(&folder.join("recipe"))?;
    let tree = Folder::open(&folder.join("tree"))?;
    let mut hasher = Hasher::new();
    let mut buffer = vec![0u8; 128 * 1024];
    let mut emit = |bytes: &[u8]| -> Result<(), BlobError> {
        hasher.update(bytes);
        out.write_all(bytes).map_err(|error| FileError::new("write", "the archive", error).into())
    };
    while let Some(step) = recipe.next()? {
        match step {
            Step::Raw(bytes) => emit(&bytes)?,
            Step::File { path, size, crc } => content(&tree, &path, (size, crc), &mut buffer, &mut emit)?,
        }
    }
    let found = DiffId(hasher.finish());
    if found != meta.diff_id {
        return Err(BlobError::damaged(format!("the layer {}", meta.diff_id), format!("its content has the digest {found}")));
    }
    Ok(())
}

fn content(
    tree: &Folder,
    path: &[u8],
    expected: (u64, u32),
    buffer: &mut [u8],
    emit: &mut dyn FnMut(&[u8]) -> Result<(), BlobError>,
) -> Result<(), BlobError> {
    let path = EntryPath::parse(path).map_err(|fault| BlobError::damaged("a recipe", fault.to_string()))?;
    let shown = tree.shown(&path);
    let mut file = tree.open_file(&path)?;
    let (mut size, mut crc) = (0u64, Crc::new());
    loop {
        let got = file.read(buffer).map_err(io_at("read", &shown))?;
        if got == 0 {
            break;
        }
        let part = buffer.get(..got).unwrap_or_default();
        size += got as u64;
        crc.update(part);
        if size <= expected.0 {
            emit(part)?;
        }
    }
    if size != expected.0 {
        return Err(BlobError::damaged(shown.display().to_string(), format!("it has {size} bytes and had {}", expected.0)));
    }
    if crc.sum() != expected.1 {
        return Err(BlobError::damaged(shown.display().to_string(), "its content has changed"));
    }
    Ok(())
}
