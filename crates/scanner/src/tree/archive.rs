//! A layer within an archive, read where it lies: its names are indexed once, contents are read at their place.

use super::content::Content;
use super::root::Sort;
use base::files::FileError;
use oci::layer::{LayerItem, classify};
use oci::tar::{Entry, EntryPath, Guard, Kind, Limits, Reader, TarError};
use oci::{DiffId, Hasher};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;

/// More members than this are left to the store, which unpacks them to the disk.
const MOST_MEMBERS: u64 = 1_000_000;

/// Part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) begin: u64,
    pub(super) size: u64,
}

/// The names of one layer.
#[derive(Debug, Default)]
pub(super) struct Index {
    folders: HashMap<Vec<u8>, Folder>,
}

#[derive(Debug, Default)]
struct Folder {
    names: BTreeMap<Vec<u8>, (Sort, Window)>,
    opaque: bool,
}

const NOWHERE: Window = Window { begin: 0, size: 0 };

/// Reads part of a file, hashing what passes.
struct Hashing<'f> {
    file: &'f File,
    at: u64,
    end: u64,
    hasher: Hasher,
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX).min(buffer.len());
        let got = self.file.read_at(buffer.get_mut(..want).unwrap_or_default(), self.at)?;
        self.hasher.update(buffer.get(..got).unwrap_or_default());
        self.at = self.at.saturating_add(got as u64);
        Ok(got)
    }
}

impl Index {
    /// Reads a layer's archive that lies in a file uncompressed; with what its content really digests to.
    ///
    /// # Errors
    /// When it is no valid layer.
    pub(super) fn read(file: &File, window: Window) -> Result<(Self, DiffId), TarError> {
        let end = window.begin.saturating_add(window.size);
        let mut hashing = Hashing { file, at: window.begin, end, hasher: Hasher::new() };
        let mut index = Self::default();
        index.folder(&EntryPath::default());
        {
            let input = BufReader::with_capacity(256 * 1024, &mut hashing);
            let mut reader = Reader::new(input, Limits { entries: MOST_MEMBERS, ..Limits::default() });
            index.members(&mut reader, window.begin)?;
        }
        let mut rest = [0; 4096];
        // The archive may end before the layer does.
        while hashing.read(&mut rest).map_err(|error| TarError { offset: 0, path: String::new(), fault: error.into() })? > 0 {}
        Ok((index, DiffId(hashing.hasher.finish())))
    }

    fn members<R: Read>(&mut self, reader: &mut Reader<R>, begin: u64) -> Result<(), TarError> {
        let (mut guard, mut hidden) = (Guard::new(), Vec::new());
        while let Some(entry) = reader.next()? {
            // Nobody else wants them, and they add up.
            drop(reader.take_raw());
            let item = guard.check(&entry).and_then(|()| classify(&entry)).map_err(|fault| reader.error_at(&entry.path, fault))?;
            match item {
                LayerItem::Hidden(path) => hidden.push(path),
                LayerItem::Opaque(path) => self.folder(&path).opaque = true,
                LayerItem::Present => self.member(&entry, begin.saturating_add(reader.offset())),
            }
        }
        // What a layer both hides and has hides by itself, a folder when it is opaque.
        for path in hidden {
            let Some((above, name)) = path.split() else { continue };
            match self.folder(&above).names.get(name).map(|(sort, _)| *sort) {
                Some(Sort::Folder) => self.folder(&path).opaque = true,
                Some(_) => {}
                None => drop(self.folder(&above).names.insert(name.to_vec(), (Sort::Whiteout, NOWHERE))),
            }
        }
        Ok(())
    }

    fn member(&mut self, entry: &Entry, offset: u64) {
        let executable = entry.mode & 0o111 != 0;
        let (sort, window) = match &entry.kind {
            Kind::Folder => {
                self.folder(&entry.path);
                return;
            }
            Kind::File { size } => (Sort::File { size: *size, executable }, Window { begin: offset, size: *size }),
            Kind::Hardlink { target } => self.get(target.as_bytes()).unwrap_or((Sort::Other, NOWHERE)),
            _ => (Sort::Other, NOWHERE),
        };
        if let Some((above, name)) = entry.path.split() {
            self.folder(&above).names.insert(name.to_vec(), (sort, window));
        }
    }

    /// A folder, made with those above it when it is missing.
    fn folder(&mut self, path: &EntryPath) -> &mut Folder {
        let (mut here, mut made) = (path.clone(), Vec::new());
        while !self.folders.contains_key(here.as_bytes()) {
            self.folders.insert(here.as_bytes().to_vec(), Folder::default());
            made.push(here.clone());
            let Some((above, _)) = here.split() else { break };
            here = above;
        }
        // Each new one is a name of the one above it, which is there by now.
        for new in made {
            let Some((above, name)) = new.split() else { continue };
            if let Some(folder) = self.folders.get_mut(above.as_bytes()) {
                folder.names.insert(name.to_vec(), (Sort::Folder, NOWHERE));
            }
        }
        self.folders.entry(path.as_bytes().to_vec()).or_default()
    }

    fn get(&self, path: &[u8]) -> Option<(Sort, Window)> {
        let (folder, name) = match path.iter().rposition(|b| *b == b'/') {
            Some(at) => (path.get(..at)?, path.get(at + 1..)?),
            None => (b"".as_slice(), path),
        };
        self.folders.get(folder)?.names.get(name).copied()
    }

    pub(super) fn stat_file(&self, path: &[u8]) -> Option<(u64, bool)> {
        match self.get(path)?.0 {
            Sort::File { size, executable } => Some((size, executable)),
            _ => None,
        }
    }

    pub(super) fn open(&self, file: &File, path: &[u8]) -> Result<Content, FileError> {
        let shown = || String::from_utf8_lossy(path).into_owned();
        let found = self.get(path).filter(|(sort, _)| matches!(sort, Sort::File { .. }));
        let (_, window) = found.ok_or_else(|| FileError::new("open", shown(), io::ErrorKind::NotFound.into()))?;
        let file = file.try_clone().map_err(|error| FileError::new("open", shown(), error))?;
        Ok(Content::part(file, window.begin, window.size))
    }

    /// As [`super::root::Root::list`].
    pub(super) fn list(&self, path: &[u8], visit: &mut dyn FnMut(&[u8], Sort)) -> bool {
        let Some(folder) = self.folders.get(path) else { return false };
        folder.names.iter().for_each(|(name, (sort, _))| visit(name, *sort));
        folder.opaque
    }
}
