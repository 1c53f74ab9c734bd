//! What was written on top of an image, as a layer: the folder becomes the tree, and its canonical archive is hashed.

use crate::aside::Aside;
use crate::error::{BlobError, io_at};
use crate::meta::LayerMeta;
use crate::recipe::RecipeWriter;
use crate::tree::{Folder, Member, is_kept, is_whiteout};
use flate2::Crc;
use oci::DiffId;
use oci::layer::{OPAQUE, WHITEOUT, has_whiteout};
use oci::tar::{END, Entry, EntryPath, Kind, Mtime, encode_header, padding};
use rustix::fs::{FileType, Stat};
use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::path::Path;

/// What becomes of times: whatever was written at `since` or later is said to be of `becomes`, so that equal steps give equal
/// layers; older times came out of archives and stay, cut to whole seconds.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// When the step began, by the clock of the file system.
    pub since: Mtime,
    /// Seconds since the Unix epoch.
    pub becomes: i64,
}

struct Walk<'a> {
    tree: Folder,
    recipe: RecipeWriter,
    hasher: Aside,
    meta: LayerMeta,
    links: HashMap<(u64, u64), EntryPath>,
    stamp: Stamp,
    raw: Vec<u8>,
    buffer: Vec<u8>,
    shown: &'a Path,
}

/// Deeper trees are refused: no path of Linux reaches them.
const MAX_DEPTH: usize = 2048;

/// Makes `folder/recipe` for `folder/tree`, and cleans the tree of what no layer keeps.
pub(crate) fn commit(folder: &Path, stamp: Stamp) -> Result<LayerMeta, BlobError> {
    let path = folder.join("tree");
    let meta = LayerMeta { diff_id: DiffId(oci::Digest::of(b"")), size: 0, members: 0, content: 0 };
    let mut walk = Walk {
        tree: Folder::open(&path)?,
        recipe: RecipeWriter::create(&folder.join("recipe"))?,
        hasher: Aside::default(),
        meta,
        links: HashMap::new(),
        stamp,
        raw: Vec::new(),
        buffer: vec![0; 128 * 1024],
        shown: &path,
    };
    walk.folder(&EntryPath::default())?;
    walk.raw.extend_from_slice(&END);
    walk.flush()?;
    walk.meta.diff_id = DiffId(walk.hasher.finish());
    walk.recipe.finish()?;
    Ok(walk.meta)
}

impl Stamp {
    /// All times stay, cut to whole seconds.
    pub const KEEP: Self = Self { since: Mtime { seconds: i64::MAX, nanos: 0 }, becomes: 0 };
}

impl Walk<'_> {
    fn folder(&mut self, root: &EntryPath) -> Result<(), BlobError> {
        let mut stack = vec![(root.clone(), self.tree.list(root)?.into_iter())];
        while let Some((folder, names)) = stack.last_mut() {
            let Some(name) = names.next() else {
                stack.pop();
                continue;
            };
            let path = folder.join(&name).map_err(|fault| BlobError::Unsupported(format!("{}: {fault}", self.shown.display())))?;
            if self.member(&path)? {
                if stack.len() >= MAX_DEPTH {
                    return Err(BlobError::Unsupported(format!("{}: folders are nested more than {MAX_DEPTH} deep", self.shown.display())));
                }
                let names = self.tree.list(&path)?;
                stack.push((path, names.into_iter()));
            }
        }
        Ok(())
    }

    /// Writes one member; whether it is a folder.
    fn member(&mut self, path: &EntryPath) -> Result<bool, BlobError> {
        let Some(member) = self.tree.member(path)? else {
            return Err(BlobError::damaged(self.tree.shown(path).display().to_string(), "it went away while it was read"));
        };
        let stat = member.stat()?;
        if is_whiteout(&stat) {
            self.whiteout(path)?;
            return Ok(false);
        }
        if has_whiteout(path.as_bytes()) {
            return Err(BlobError::Unsupported(format!("`/{path}`: no layer can hold a name that begins with `.wh.`")));
        }
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Socket {
            // An archive cannot hold it, and without its process it is nothing.
            self.tree.remove_file(path)?;
            return Ok(false);
        }
        let (xattrs, opaque) = self.attributes(&member)?;
        let entry = self.entry(path, &member, &stat, kind, xattrs)?;
        if matches!(entry.kind, Kind::File { .. }) {
            self.file(&entry)?;
        } else {
            self.header(&entry);
        }
        if opaque {
            let name = path.join(OPAQUE).map_err(|fault| BlobError::Unsupported(fault.to_string()))?;
            self.header(&marker(name));
        }
        Ok(kind == FileType::Directory)
    }

    fn attributes(&mut self, member: &Member) -> Result<(BTreeMap<String, Vec<u8>>, bool), BlobError> {
        let mut xattrs = member.xattrs()?;
        let opaque = xattrs.get("trusted.overlay.opaque").is_some_and(|value| value == b"y");
        for name in ["trusted.overlay.redirect", "trusted.overlay.metacopy"] {
            if xattrs.contains_key(name) {
                return Err(BlobError::Unsupported(format!(
                    "{} has `{name}`: it was written by an overlay mounted with redirects",
                    member.shown.display()
                )));
            }
        }
        for name in xattrs.keys().filter(|name| !(is_kept(name) || opaque && *name == "trusted.overlay.opaque")) {
            // Labels of the host's security module cannot be taken off, and mean nothing elsewhere.
            if !name.starts_with("security.") {
                member.remove_xattr(name)?;
            }
        }
        xattrs.retain(|name, _| is_kept(name));
        Ok((xattrs, opaque))
    }

    fn entry(
        &mut self,
        path: &EntryPath,
        member: &Member,
        stat: &Stat,
        kind: FileType,
        xattrs: BTreeMap<String, Vec<u8>>,
    ) -> Result<Entry, BlobError> {
        let mtime = self.time(member, stat)?;
        let device = || (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
        let kind = match kind {
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Symlink { target: self.tree.read_link(path)? },
            FileType::Fifo => Kind::Fifo,
            FileType::CharacterDevice => Kind::Char { major: device().0, minor: device().1 },
            FileType::BlockDevice => Kind::Block { major: device().0, minor: device().1 },
            _ => Kind::File { size: u64::try_from(stat.st_size).unwrap_or(0) },
        };
        let kind = match self.links.get(&(stat.st_dev, stat.st_ino)) {
            Some(first) => Kind::Hardlink { target: first.clone() },
            None => {
                if stat.st_nlink > 1 && kind != Kind::Folder {
                    self.links.insert((stat.st_dev, stat.st_ino), path.clone());
                }
                kind
            }
        };
        Ok(Entry { path: path.clone(), kind, mode: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid, mtime, xattrs })
    }

    fn time(&mut self, member: &Member, stat: &Stat) -> Result<Mtime, BlobError> {
        let was = Mtime { seconds: stat.st_mtime, nanos: u32::try_from(stat.st_mtime_nsec).unwrap_or(0) };
        let seconds = if was >= self.stamp.since { self.stamp.becomes } else { was.seconds };
        let now = Mtime { seconds, nanos: 0 };
        if now != was {
            member.set_mtime(seconds)?;
        }
        Ok(now)
    }

    fn whiteout(&mut self, path: &EntryPath) -> Result<(), BlobError> {
        let Some((folder, name)) = path.split() else { return Ok(()) };
        let name = folder.join(&[WHITEOUT, name].concat());
        let name = name.map_err(|fault| {
            BlobError::Unsupported(format!("`/{path}` was removed, and its name is too long for a layer to say so: {fault}"))
        })?;
        self.header(&marker(name));
        Ok(())
    }

    fn header(&mut self, entry: &Entry) {
        encode_header(entry, &mut self.raw);
        self.meta.members += 1;
    }

    fn file(&mut self, entry: &Entry) -> Result<(), BlobError> {
        let Kind::File { size } = entry.kind else { return Ok(()) };
        self.header(entry);
        self.flush()?;
        let shown = self.tree.shown(&entry.path);
        let mut file = self.tree.open_file(&entry.path)?;
        let (mut got_all, mut crc) = (0u64, Crc::new());
        loop {
            let got = file.read(&mut self.buffer).map_err(io_at("read", &shown))?;
            if got == 0 {
                break;
            }
            let part = self.buffer.get(..got).unwrap_or_default();
            got_all += got as u64;
            crc.update(part);
            self.hasher.update(part);
        }
        if got_all != size {
            return Err(BlobError::damaged(shown.display().to_string(), "it changed while it was read"));
        }
        self.meta.size += size;
        self.meta.content += size;
        self.recipe.file(entry.path.as_bytes(), size, crc.sum())?;
        self.raw.extend_from_slice(padding(size));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BlobError> {
        self.hasher.update(&self.raw);
        self.meta.size += self.raw.len() as u64;
        self.recipe.raw(&self.raw)?;
        self.raw.clear();
        Ok(())
    }
}

fn marker(path: EntryPath) -> Entry {
    Entry { path, kind: Kind::File { size: 0 }, mode: 0, uid: 0, gid: 0, mtime: Mtime::default(), xattrs: BTreeMap::new() }
}
