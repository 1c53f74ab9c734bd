//! Images from outside: OCI layouts as folder or archive, and archives of `docker save`.

use crate::compress::decode;
use crate::error::{BlobError, io_at};
use crate::store::Store;
use crate::tree::Folder;
use oci::config::ImageConfig;
use oci::manifest::{Descriptor, DockerSaved, Index, MAX_DOCUMENT_BYTES, Manifest, media, parse_bounded};
use oci::tar::{EntryPath, Kind, Limits, Reader};
use oci::{Digest, ImageId, Reference};
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// An image that was brought in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedImage {
    /// Its id.
    pub id: ImageId,
    /// The names that it had there and has now here.
    pub references: Vec<Reference>,
}

/// Brings in all images of an OCI layout (folder or archive) or an archive of `docker save`, and names them as they are named there.
///
/// # Errors
/// When it is none of them, or content is not what its digest says.
pub fn import_path(store: &Store, path: &Path) -> Result<Vec<ImportedImage>, BlobError> {
    if path.is_dir() {
        return Layout { store, source: Source::Folder(Folder::open(path)?), shown: path.display().to_string() }.import();
    }
    let file = File::open(path).map_err(io_at("open", path))?;
    let mut head = [0u8; 2];
    let compressed = file.read_at(&mut head, 0).map_err(io_at("read", path))? == 2 && head == [0x1f, 0x8b];
    let temp = store.temp()?;
    let file = if compressed { unpacked(file, path, temp.path())? } else { file };
    let source = Source::archive(file, path)?;
    Layout { store, source, shown: path.display().to_string() }.import()
}

fn unpacked(file: File, path: &Path, temp: &Path) -> Result<File, BlobError> {
    let place = temp.join("archive");
    let mut plain = File::options().read(true).write(true).create_new(true).open(&place).map_err(io_at("create", &place))?;
    io::copy(&mut decode(file, &path.display().to_string())?, &mut plain).map_err(io_at("write", &place))?;
    Ok(plain)
}

enum Source {
    Folder(Folder),
    Archive { file: File, members: HashMap<EntryPath, Member> },
}

enum Member {
    Content { offset: u64, size: u64 },
    Link(EntryPath),
}

impl Source {
    fn archive(file: File, path: &Path) -> Result<Self, BlobError> {
        let what = path.display().to_string();
        let mut members = HashMap::new();
        let mut at = 0u64;
        // Whether something is an archive at all is told by its first header.
        let windowed = Window { file: &file, at: &mut at, end: u64::MAX };
        let mut reader = Reader::new(BufReader::with_capacity(256 * 1024, windowed), Limits::default());
        while let Some(entry) = reader.next().map_err(|error| BlobError::tar(&what, error))? {
            let member = match entry.kind {
                Kind::File { size } => Member::Content { offset: reader.offset(), size },
                Kind::Hardlink { target } => Member::Link(target),
                Kind::Symlink { target } => match sibling(&entry.path, &target) {
                    Some(target) => Member::Link(target),
                    None => continue,
                },
                _ => continue,
            };
            members.insert(entry.path, member);
        }
        Ok(Self::Archive { file, members })
    }

    /// A file of it; `None` when it is not there.
    fn open(&self, name: &str) -> Result<Option<Box<dyn Read + '_>>, BlobError> {
        let path = EntryPath::parse(name.as_bytes()).map_err(|fault| BlobError::Name(format!("`{}`: {fault}", name.escape_debug())))?;
        match self {
            Self::Folder(folder) => match folder.stat(&path)? {
                Some(_) => Ok(Some(Box::new(folder.open_file(&path)?))),
                None => Ok(None),
            },
            Self::Archive { file, members } => {
                let mut member = members.get(&path);
                // Old archives of docker link equal layers; a link to a link is as deep as they go.
                for _ in 0..2 {
                    if let Some(Member::Link(target)) = member {
                        member = members.get(target);
                    }
                }
                let Some(Member::Content { offset, size }) = member else { return Ok(None) };
                Ok(Some(Box::new(Owned { file, at: *offset, end: offset.saturating_add(*size) })))
            }
        }
    }
}

/// The member that a relative link beside `path` points to.
fn sibling(path: &EntryPath, target: &[u8]) -> Option<EntryPath> {
    let (mut folder, _) = path.split()?;
    if target.first() == Some(&b'/') {
        return None;
    }
    for part in target.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => folder = folder.split()?.0,
            name => folder = folder.join(name).ok()?,
        }
    }
    Some(folder)
}

struct Window<'a> {
    file: &'a File,
    at: &'a mut u64,
    end: u64,
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read_window(self.file, self.at, self.end, buffer)
    }
}

struct Owned<'a> {
    file: &'a File,
    at: u64,
    end: u64,
}

impl Read for Owned<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read_window(self.file, &mut self.at, self.end, buffer)
    }
}

fn read_window(file: &File, at: &mut u64, end: u64, buffer: &mut [u8]) -> io::Result<usize> {
    let want = usize::try_from(end.saturating_sub(*at)).unwrap_or(usize::MAX).min(buffer.len());
    let got = file.read_at(buffer.get_mut(..want).unwrap_or_default(), *at)?;
    *at += got as u64;
    Ok(got)
}

struct Layout<'a> {
    store: &'a Store,
    source: Source,
    shown: String,
}

/// An index in an index in an index is nobody's image.
const MAX_NESTING: usize = 3;

impl Layout<'_> {
    fn import(&self) -> Result<Vec<ImportedImage>, BlobError> {
        let saved: Vec<DockerSaved> = match self.document("manifest.json")? {
            Some(bytes) => parse_bounded(&bytes).map_err(|error| self.json("manifest.json", error))?,
            None => Vec::new(),
        };
        let images = match self.document("index.json")? {
            Some(bytes) => {
                let index: Index = parse_bounded(&bytes).map_err(|error| self.json("index.json", error))?;
                self.index(&index, &saved, 0)?
            }
            None if !saved.is_empty() => saved.iter().map(|saved| self.docker(saved)).collect::<Result<_, _>>()?,
            None => return Err(BlobError::Unsupported(format!("{} is no OCI layout and no archive of `docker save`", self.shown))),
        };
        for image in &images {
            for reference in &image.references {
                self.store.images().tag(reference, &image.id)?;
            }
        }
        Ok(images)
    }

    fn index(&self, index: &Index, saved: &[DockerSaved], depth: usize) -> Result<Vec<ImportedImage>, BlobError> {
        let mut images = Vec::new();
        for descriptor in &index.manifests {
            images.extend(self.described(descriptor, saved, depth)?);
        }
        Ok(images)
    }

    fn described(&self, descriptor: &Descriptor, saved: &[DockerSaved], depth: usize) -> Result<Vec<ImportedImage>, BlobError> {
        if depth >= MAX_NESTING {
            return Err(BlobError::Unsupported(format!("{}: indexes are nested more than {MAX_NESTING} deep", self.shown)));
        }
        if !descriptor.platform.as_ref().is_none_or(|platform| platform.os == "linux" && platform.architecture == host_architecture()) {
            return Ok(Vec::new());
        }
        let bytes = self.blob(&descriptor.digest)?;
        let mut images = match descriptor.media_type.as_str() {
            media::INDEX | media::DOCKER_LIST => {
                let inner: Index = parse_bounded(&bytes).map_err(|error| self.json(&descriptor.digest.to_string(), error))?;
                self.index(&inner, saved, depth + 1)?
            }
            media::MANIFEST | media::DOCKER_MANIFEST => {
                let manifest: Manifest = parse_bounded(&bytes).map_err(|error| self.json(&descriptor.digest.to_string(), error))?;
                vec![self.manifest(&manifest, saved)?]
            }
            // Signatures and other things beside images.
            _ => Vec::new(),
        };
        let named =
            ["io.containerd.image.name", "org.opencontainers.image.ref.name"].into_iter().filter_map(|key| descriptor.annotations.get(key));
        // A bare tag is a name only when nothing better is known.
        let named = named.filter(|name| name.contains([':', '/'])).filter_map(|name| name.parse::<Reference>().ok()).next();
        if let ([image], Some(name)) = (images.as_mut_slice(), named)
            && !image.references.contains(&name)
        {
            image.references.push(name.or_latest());
        }
        Ok(images)
    }

    fn manifest(&self, manifest: &Manifest, saved: &[DockerSaved]) -> Result<ImportedImage, BlobError> {
        let bytes = self.blob(&manifest.config.digest)?;
        let names: Vec<String> = manifest.layers.iter().map(|layer| format!("blobs/sha256/{}", layer.digest.hex())).collect();
        let hex = manifest.config.digest.hex();
        let tags = saved.iter().filter(|saved| saved.config.contains(&hex)).flat_map(|saved| saved.repo_tags.clone()).collect();
        self.image(&bytes, &names, tags)
    }

    fn docker(&self, saved: &DockerSaved) -> Result<ImportedImage, BlobError> {
        let bytes = self.document(&saved.config)?.ok_or_else(|| self.missing(&saved.config))?;
        self.image(&bytes, &saved.layers, saved.repo_tags.clone())
    }

    fn image(&self, config_bytes: &[u8], layers: &[String], tags: Vec<String>) -> Result<ImportedImage, BlobError> {
        let config = ImageConfig::parse(config_bytes).map_err(|error| self.json("the configuration", error))?;
        let ids = &config.rootfs.diff_ids;
        if ids.len() != layers.len() {
            return Err(BlobError::damaged(
                &self.shown,
                format!("the configuration names {} layers, the manifest {}", ids.len(), layers.len()),
            ));
        }
        for (id, name) in ids.iter().zip(layers) {
            if !self.store.layers().contains(id) {
                let layer = self.source.open(name)?.ok_or_else(|| self.missing(name))?;
                self.store.layers().import(layer, &format!("{}: {name}", self.shown), Some(id))?;
            }
        }
        let image = self.store.images().put_bytes(config_bytes)?;
        let references = tags.iter().map(|tag| tag.parse::<Reference>().map(Reference::or_latest)).collect::<Result<_, _>>();
        Ok(ImportedImage { id: image.id, references: references.map_err(|error| BlobError::Name(format!("{}: {error}", self.shown)))? })
    }

    fn blob(&self, digest: &Digest) -> Result<Vec<u8>, BlobError> {
        let name = format!("blobs/sha256/{}", digest.hex());
        let bytes = self.document(&name)?.ok_or_else(|| self.missing(&name))?;
        let found = Digest::of(&bytes);
        if found != *digest {
            return Err(BlobError::Digest {
                what: format!("{}: {name}", self.shown),
                expected: digest.to_string(),
                found: found.to_string(),
            });
        }
        Ok(bytes)
    }

    fn document(&self, name: &str) -> Result<Option<Vec<u8>>, BlobError> {
        let Some(reader) = self.source.open(name)? else { return Ok(None) };
        let mut bytes = Vec::new();
        reader
            .take(MAX_DOCUMENT_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| base::files::FileError::new("read", format!("{}: {name}", self.shown), error))?;
        Ok(Some(bytes))
    }

    fn json(&self, name: &str, error: serde_json::Error) -> BlobError {
        BlobError::json(format!("{}: {name}", self.shown), error)
    }

    fn missing(&self, name: &str) -> BlobError {
        BlobError::damaged(&self.shown, format!("`{}` is missing", name.escape_debug()))
    }
}

/// This machine's processor in Go's names.
pub fn host_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
