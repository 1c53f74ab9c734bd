//! An image in an archive of `docker save`, which OCI archives of most tools are at once, without unpacking it.

use super::archive::{Index, Window};
use super::root::Root;
use super::{Shape, Tree};
use base::files::FileError;
use oci::manifest::{DockerSaved, MAX_DOCUMENT_BYTES, parse_bounded};
use oci::tar::{Kind, Limits, Reader};
use oci::{Digest, ImageConfig, ImageId};
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Members of such an archive: layers and documents, never as many as files.
const MOST_MEMBERS: u64 = 10_000;

/// An image that lies in an archive.
#[derive(Debug)]
pub struct Saved {
    /// Its files.
    pub tree: Tree,
    /// Its id.
    pub id: ImageId,
    /// Its layers' DiffIDs, the lowest first.
    pub layers: Vec<String>,
}

/// Why an archive was not read where it lies.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// It cannot be opened.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is of another shape, which the store may know: compressed, several images, or an OCI layout alone.
    #[error("it is no plain archive of one image")]
    Other,
    /// Its layer is not what its configuration says.
    #[error("layer {0} is damaged: its content has another digest")]
    Damaged(String),
    /// A layer is no valid archive.
    #[error("layer {0}: {1}")]
    Layer(String, oci::tar::TarError),
}

impl Tree {
    /// The image of an archive, its layers uncompressed, each checked against its digest.
    ///
    /// # Errors
    /// See [`SavedError`]; after [`SavedError::Other`] the store may still take it in.
    pub fn of_saved(path: &Path) -> Result<Saved, SavedError> {
        let file = File::open(path).map_err(|error| FileError::new("open", path, error))?;
        let members = members(&file).ok_or(SavedError::Other)?;
        let document = |name: &str| members.get(name.as_bytes()).and_then(|window| document(&file, *window));
        let saved: Vec<DockerSaved> = document("manifest.json").and_then(|bytes| parse_bounded(&bytes).ok()).ok_or(SavedError::Other)?;
        let [saved] = saved.as_slice() else { return Err(SavedError::Other) };
        let bytes = document(&saved.config).ok_or(SavedError::Other)?;
        let config = ImageConfig::parse(&bytes).map_err(|_| SavedError::Other)?;
        if config.os != "linux" || config.rootfs.diff_ids.len() != saved.layers.len() {
            return Err(SavedError::Other);
        }
        let mut roots = Vec::new();
        for (id, name) in config.rootfs.diff_ids.iter().zip(&saved.layers) {
            let window = members.get(name.as_bytes()).filter(|window| is_tar(&file, **window)).ok_or(SavedError::Other)?;
            let (index, found) = Index::read(&file, *window).map_err(|error| SavedError::Layer(id.to_string(), error))?;
            if found != *id {
                return Err(SavedError::Damaged(id.to_string()));
            }
            let file = file.try_clone().map_err(|error| FileError::new("open", path, error))?;
            roots.push(Root::archived(file, index, id.to_string()));
        }
        let layers = config.rootfs.diff_ids.iter().map(ToString::to_string).collect();
        Ok(Saved { tree: Self { roots, shape: Shape::Layers, _leases: Vec::new() }, id: ImageId(Digest::of(&bytes)), layers })
    }
}

/// Where the files of an archive lie; nothing when it is none.
fn members(file: &File) -> Option<HashMap<Vec<u8>, Window>> {
    let mut members = HashMap::new();
    let input = BufReader::with_capacity(1 << 16, Seeking { file, at: 0 });
    let mut reader = Reader::new(input, Limits { entries: MOST_MEMBERS, ..Limits::default() });
    while let Some(entry) = reader.next().ok()? {
        drop(reader.take_raw());
        if let Kind::File { size } = entry.kind {
            members.insert(entry.path.as_bytes().to_vec(), Window { begin: reader.offset(), size });
        }
    }
    Some(members)
}

struct Seeking<'f> {
    file: &'f File,
    at: u64,
}

impl Read for Seeking<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let got = std::os::unix::fs::FileExt::read_at(self.file, buffer, self.at)?;
        self.at = self.at.saturating_add(got as u64);
        Ok(got)
    }
}

fn document(file: &File, window: Window) -> Option<Vec<u8>> {
    let size = usize::try_from(window.size).ok().filter(|size| *size <= MAX_DOCUMENT_BYTES)?;
    let mut bytes = vec![0; size];
    std::os::unix::fs::FileExt::read_exact_at(file, &mut bytes, window.begin).ok()?;
    Some(bytes)
}

/// Whether an archive lies there uncompressed; an empty layer is nothing but zeros.
fn is_tar(file: &File, window: Window) -> bool {
    let head = Window { size: window.size.min(512), ..window };
    document(file, head).is_some_and(|head| head.get(257..262) == Some(b"ustar") || head.iter().all(|byte| *byte == 0))
}
