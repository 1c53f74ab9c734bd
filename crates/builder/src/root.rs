//! An image's files as its containers see them, out of the store: `--output type=local` and `type=tar`.

use crate::error::Trouble;
use crate::origin::{Item, Origin};
use crate::take::{Owners, Taking, Times, take};
use base::files::FileError;
use blobs::{BlobError, Image, View};
use oci::tar::{END, Entry, EntryPath, Kind, Mtime, encode_header, padding};
use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Writes all files of an image into a folder, which is made when missing; what is there by the same names is replaced, and all else
/// stays. They belong to whoever runs this, and have no extended attributes.
///
/// # Errors
/// When the layers cannot be read, or the folder cannot be written.
pub fn export_folder(image: &Image, folder: &Path) -> Result<(), BlobError> {
    base::files::make_folder(folder, 0o755)?;
    // Whole beside, then moved: what fails leaves nothing half.
    let beside = folder.join(format!(".wharf-{}", base::ids::suffix(8)));
    let view = View::open(&image.trees)?;
    let done = written(&view, &beside).and_then(|()| Ok(merge(&beside, folder)?));
    match fs::remove_dir_all(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::new("remove", beside, error).into()),
        _ => done,
    }
}

fn written(view: &View, place: &Path) -> Result<(), BlobError> {
    let origin = Origin::View(view);
    let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let root = match origin.at("/") {
        // Without any layer there is no root either.
        Err(_) => return Ok(base::files::make_folder(place, 0o755)?),
        Ok(root) => root,
    };
    let mut root = origin.with_below(&root).map_err(failed)?;
    // Nodes of devices are nothing to be had by copying an image's files.
    root.below.retain(|_, item| !matches!(item.kind(), Some(Kind::Char { .. } | Kind::Block { .. }) | None));
    take(&origin, &root, place, Taking { times: Times::Own, owners: Owners::All(own.0, own.1) }).map(drop).map_err(failed)
}

fn failed(trouble: Trouble) -> BlobError {
    BlobError::Unsupported(trouble.message)
}

/// Moves all in one folder over another.
fn merge(from: &Path, to: &Path) -> Result<(), FileError> {
    for entry in fs::read_dir(from).map_err(|error| FileError::new("list", from, error))? {
        let entry = entry.map_err(|error| FileError::new("list", from, error))?;
        let (own, place) = (entry.path(), to.join(entry.file_name()));
        let is_folder = |path: &Path| fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
        if is_folder(&own) && is_folder(&place) {
            merge(&own, &place)?;
            continue;
        }
        if is_folder(&place) {
            fs::remove_dir_all(&place).map_err(|error| FileError::new("replace", &place, error))?;
        } else if is_folder(&own) && fs::symlink_metadata(&place).is_ok() {
            fs::remove_file(&place).map_err(|error| FileError::new("replace", &place, error))?;
        }
        fs::rename(&own, &place).map_err(|error| FileError::new("move", &place, error))?;
    }
    Ok(())
}

/// Writes all files of an image as one archive: owners, modes, times, links and attributes are those of the image.
///
/// # Errors
/// When the layers cannot be read, or the archive cannot be written.
pub fn export_tar(image: &Image, out: &mut dyn Write) -> Result<(), BlobError> {
    let view = View::open(&image.trees)?;
    let origin = Origin::View(&view);
    let mut links = HashMap::new();
    let write = |error: io::Error| BlobError::File(FileError::new("write", "the archive", error));
    for (path, item) in origin.below(&EntryPath::default())? {
        let Some(entry) = entry(&path, &item, &mut links) else { continue };
        let mut raw = Vec::new();
        encode_header(&entry, &mut raw);
        out.write_all(&raw).map_err(write)?;
        if let Kind::File { size } = entry.kind {
            let copied = io::copy(&mut origin.open(&path)?, out).map_err(write)?;
            if copied != size {
                return Err(BlobError::Unsupported(format!("`/{path}` has another size than it is said to have")));
            }
            out.write_all(padding(size)).map_err(write)?;
        }
    }
    out.write_all(&END).map_err(write)
}

fn entry(path: &EntryPath, item: &Item, links: &mut HashMap<(u64, u64), EntryPath>) -> Option<Entry> {
    let stat = &item.stat;
    let mut kind = item.kind()?;
    if stat.st_nlink > 1 && !item.is_folder() {
        let first = links.entry((stat.st_dev, stat.st_ino)).or_insert_with(|| path.clone());
        if first != path {
            kind = Kind::Hardlink { target: first.clone() };
        }
    }
    let mtime = Mtime { seconds: stat.st_mtime, nanos: 0 };
    let (mode, uid, gid) = (stat.st_mode & 0o7777, stat.st_uid, stat.st_gid);
    Some(Entry { path: path.clone(), kind, mode, uid, gid, mtime, xattrs: item.xattrs.clone() })
}
