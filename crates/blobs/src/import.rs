//! Layer archives to trees, in one pass: decompressed, checked, hashed and unpacked as they come.

use crate::compress::decode;
use crate::error::BlobError;
use crate::meta::LayerMeta;
use crate::recipe::RecipeWriter;
use crate::tree::TreeWriter;
use base::files::FileError;
use flate2::Crc;
use oci::layer::{LayerItem, classify};
use oci::tar::{Entry, Guard, Kind, Limits, Reader};
use oci::{DiffId, Hasher};
use std::io::{self, Read, Write};
use std::path::Path;

/// Hashes what passes through.
pub(crate) struct Hashing<R> {
    pub inner: R,
    pub hasher: Hasher,
    pub bytes: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..got).unwrap_or_default());
        self.bytes += got as u64;
        Ok(got)
    }
}

/// Unpacks a layer into `folder/tree` with its `folder/recipe`.
pub(crate) fn unpack(input: impl Read, what: &str, folder: &Path, limits: Limits) -> Result<LayerMeta, BlobError> {
    let input = io::BufReader::with_capacity(128 * 1024, decode(input, what)?);
    let hashing = Hashing { inner: input, hasher: Hasher::new(), bytes: 0 };
    let mut hashing = hashing;
    let mut recipe = RecipeWriter::create(&folder.join("recipe"))?;
    let mut tree = TreeWriter::create(&folder.join("tree"))?;
    let (members, content) = {
        let mut reader = Reader::new(&mut hashing, limits);
        members(&mut reader, &mut tree, &mut recipe, what)?
    };
    tree.finish()?;
    recipe.finish()?;
    Ok(LayerMeta { diff_id: DiffId(hashing.hasher.finish()), size: hashing.bytes, members, content })
}

fn members<R: Read>(reader: &mut Reader<R>, tree: &mut TreeWriter, recipe: &mut RecipeWriter, what: &str) -> Result<(u64, u64), BlobError> {
    let mut guard = Guard::new();
    let mut buffer = vec![0u8; 128 * 1024];
    let (mut members, mut content) = (0, 0);
    while let Some(entry) = reader.next().map_err(|error| BlobError::tar(what, error))? {
        recipe.raw(&reader.take_raw())?;
        let item = guard.check(&entry).and_then(|()| classify(&entry));
        match item.map_err(|fault| BlobError::tar(what, reader.error_at(&entry.path, fault)))? {
            LayerItem::Hidden(path) => tree.hide(&path)?,
            LayerItem::Opaque(path) => tree.opaque(&path)?,
            LayerItem::Present => match entry.kind {
                Kind::File { size } => {
                    let crc = file(reader, tree, &entry, &mut buffer, what)?;
                    recipe.file(entry.path.as_bytes(), size, crc)?;
                    content += size;
                }
                _ => tree.make(&entry)?,
            },
        }
        members += 1;
    }
    recipe.raw(&reader.take_raw())?;
    Ok((members, content))
}

fn file<R: Read>(reader: &mut Reader<R>, tree: &mut TreeWriter, entry: &Entry, buffer: &mut [u8], what: &str) -> Result<u32, BlobError> {
    let mut file = tree.file(entry)?;
    let mut crc = Crc::new();
    loop {
        let got = reader.read(buffer).map_err(|error| BlobError::tar(what, error))?;
        if got == 0 {
            break;
        }
        let part = buffer.get(..got).unwrap_or_default();
        crc.update(part);
        file.write_all(part).map_err(|error| FileError::new("write", tree.shown(&entry.path), error))?;
    }
    tree.seal(&file, entry)?;
    Ok(crc.sum())
}
