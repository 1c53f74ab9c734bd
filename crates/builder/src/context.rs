//! The build context: which files it has, and what they hold, without reading twice what has not changed.

use crate::ignore::{Ignore, Matched};
use base::files::FileError;
use blobs::Folder;
use oci::tar::EntryPath;
use oci::{Digest, Hasher};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// A folder that files are copied from, with its `.dockerignore`.
#[derive(Debug)]
pub struct Context {
    root: PathBuf,
    folder: Folder,
    /// What is not in it.
    pub ignore: Ignore,
    known: Mutex<Known>,
    index: PathBuf,
}

/// Contents by what the file system says of a file.
#[derive(Debug, Default)]
struct Known {
    contents: HashMap<Vec<u8>, (Marks, Digest)>,
    changed: bool,
}

/// When all of these are as they were, the content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marks {
    size: u64,
    mtime: (i64, u32),
    ctime: (i64, u32),
    inode: u64,
    device: u64,
}

/// Something in a context.
#[derive(Clone, Debug)]
pub struct Member {
    /// What the file system says of it, links not followed.
    pub stat: Stat,
    /// A link's target, as written.
    pub target: Option<Vec<u8>>,
    /// A file's content.
    pub content: Option<Digest>,
}

impl Context {
    /// Opens a context; `index` is the file that remembers contents between builds.
    ///
    /// # Errors
    /// When the folder is not there.
    pub fn open(root: &Path, ignore: Ignore, index: PathBuf) -> Result<Self, FileError> {
        let root = std::fs::canonicalize(root).map_err(|error| FileError::new("open", root, error))?;
        let known = Mutex::new(Known { contents: load(&index), changed: false });
        Ok(Self { folder: Folder::open(&root)?, root, ignore, known, index })
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where something in it is.
    pub fn path(&self, path: &EntryPath) -> PathBuf {
        self.root.join(OsStr::from_bytes(path.as_bytes()))
    }

    /// Follows all links of a path within the context.
    ///
    /// # Errors
    /// When links go round, or cannot be read.
    pub fn resolve(&self, path: &[u8]) -> Result<EntryPath, FileError> {
        blobs::resolve_with(path, |path| match self.folder.stat(path)? {
            Some(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => self.folder.read_link(path).map(Some),
            _ => Ok(None),
        })
    }

    /// Whether `.dockerignore` leaves a path out.
    pub fn ignores(&self, path: &EntryPath) -> bool {
        !path.is_root() && self.ignore.ignores(&String::from_utf8_lossy(path.as_bytes()))
    }

    /// What is at a path; links in it are not followed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn member(&self, path: &EntryPath) -> Result<Option<Member>, FileError> {
        if self.ignores(path) {
            return Ok(None);
        }
        self.folder.stat(path)?.map(|stat| self.describe(path, stat)).transpose()
    }

    /// The names in a folder, ignored ones too, sorted.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn names(&self, folder: &EntryPath) -> Result<Vec<Vec<u8>>, FileError> {
        self.folder.list(folder)
    }

    /// A file's content; no link is followed.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open_file(&self, path: &EntryPath) -> Result<File, FileError> {
        self.folder.open_file(path)
    }

    /// Everything below a folder, by path relative to it, folders too, what is ignored left out.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn walk(&self, folder: &EntryPath) -> Result<BTreeMap<EntryPath, Member>, FileError> {
        let mut found = BTreeMap::new();
        let mut matched = Matched::default();
        let text = String::from_utf8_lossy(folder.as_bytes()).into_owned();
        for end in text.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| at).chain((!text.is_empty()).then_some(text.len())) {
            (_, matched) = self.ignore.decide(text.get(..end).unwrap_or_default(), &matched);
        }
        let mut stack = vec![(EntryPath::default(), folder.clone(), matched, false)];
        while let Some((relative, path, matched, ignored)) = stack.pop() {
            self.list(&relative, &path, &matched, ignored, &mut stack, &mut found)?;
        }
        Ok(found)
    }

    #[allow(clippy::type_complexity)]
    fn list(
        &self,
        relative: &EntryPath,
        path: &EntryPath,
        matched: &Matched,
        ignored: bool,
        stack: &mut Vec<(EntryPath, EntryPath, Matched, bool)>,
        found: &mut BTreeMap<EntryPath, Member>,
    ) -> Result<(), FileError> {
        let full = self.path(path);
        let fail = |error: rustix::io::Errno| FileError::new("read", &full, error.into());
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&full, flags, Mode::empty()).map_err(fail)?;
        for entry in Dir::read_from(&fd).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let joined = |base: &EntryPath| base.join(name).map_err(|_| fail(rustix::io::Errno::NAMETOOLONG));
            let (here, below) = (joined(relative)?, joined(path)?);
            let (left_out, matched) = if self.ignore.is_empty() {
                (false, Matched::default())
            } else {
                self.ignore.decide(&String::from_utf8_lossy(below.as_bytes()), matched)
            };
            if left_out && !self.ignore.brings_back() {
                continue;
            }
            let stat = rustix::fs::statat(&fd, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW).map_err(fail)?;
            let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            if is_folder {
                stack.push((here.clone(), below.clone(), matched, left_out));
            }
            if !left_out {
                if ignored {
                    self.bring_folders_back(relative, path, found)?;
                }
                found.insert(here, self.describe(&below, stat)?);
            }
        }
        Ok(())
    }

    /// Something in an ignored folder is not ignored: then the folders above it are there too.
    fn bring_folders_back(&self, relative: &EntryPath, path: &EntryPath, found: &mut BTreeMap<EntryPath, Member>) -> Result<(), FileError> {
        let (mut relative, mut path) = (relative.clone(), path.clone());
        while !relative.is_root() && !found.contains_key(&relative) {
            if let Some(stat) = self.folder.stat(&path)? {
                found.insert(relative.clone(), Member { stat, target: None, content: None });
            }
            let (Some((above, _)), Some((above_path, _))) = (relative.split(), path.split()) else { return Ok(()) };
            (relative, path) = (above, above_path);
        }
        Ok(())
    }

    fn describe(&self, path: &EntryPath, stat: Stat) -> Result<Member, FileError> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => Ok(Member { stat, target: Some(self.folder.read_link(path)?), content: None }),
            FileType::RegularFile => Ok(Member { content: Some(self.content(path, &stat)?), stat, target: None }),
            _ => Ok(Member { stat, target: None, content: None }),
        }
    }

    fn content(&self, path: &EntryPath, stat: &Stat) -> Result<Digest, FileError> {
        let marks = Marks::of(stat);
        let known = self.known.lock().map(|known| known.contents.get(path.as_bytes()).copied()).unwrap_or_default();
        if let Some((_, digest)) = known.filter(|(known, _)| *known == marks) {
            return Ok(digest);
        }
        let digest = hash(self.folder.open_file(path)?).map_err(|error| FileError::new("read", self.path(path), error))?;
        if let Ok(mut known) = self.known.lock() {
            known.changed = true;
            known.contents.insert(path.as_bytes().to_vec(), (marks, digest));
        }
        Ok(digest)
    }

    /// Remembers contents for the next build; losing them costs time only.
    pub fn remember(&self) {
        let Ok(known) = self.known.lock() else { return };
        if known.changed {
            save(&self.index, &known.contents);
        }
    }
}

/// The digest of all that a reader gives.
pub(crate) fn hash(mut input: impl Read) -> std::io::Result<Digest> {
    let mut hasher = Hasher::new();
    let mut buffer = vec![0u8; 64 * 1024];
    loop {
        let got = input.read(&mut buffer)?;
        if got == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(buffer.get(..got).unwrap_or_default());
    }
}

impl Marks {
    fn of(stat: &Stat) -> Self {
        let nanos = |nanos| u32::try_from(nanos).unwrap_or(0);
        Self {
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime: (stat.st_mtime, nanos(stat.st_mtime_nsec)),
            ctime: (stat.st_ctime, nanos(stat.st_ctime_nsec)),
            inode: stat.st_ino,
            device: stat.st_dev,
        }
    }
}

const MAGIC: &[u8; 8] = b"WHARFC1\n";
/// Times of files move in steps of up to 10 ms: what changed just now may change again without a new time.
const SETTLED_NANOS: i128 = 100_000_000;

fn save(index: &Path, contents: &HashMap<Vec<u8>, (Marks, Digest)>) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |now| now.as_nanos() as i128);
    let mut out = MAGIC.to_vec();
    for (path, (marks, digest)) in contents {
        if i128::from(marks.ctime.0) * 1_000_000_000 + i128::from(marks.ctime.1) + SETTLED_NANOS > now {
            continue;
        }
        out.extend_from_slice(&(path.len() as u16).to_le_bytes());
        out.extend_from_slice(path);
        for number in [
            marks.size,
            marks.mtime.0.cast_unsigned(),
            marks.mtime.1.into(),
            marks.ctime.0.cast_unsigned(),
            marks.ctime.1.into(),
            marks.inode,
            marks.device,
        ] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(digest.bytes());
    }
    let sum = Digest::of(&out);
    out.extend_from_slice(sum.bytes());
    let beside = index.with_extension(base::ids::suffix(8));
    if std::fs::write(&beside, out).is_err() || std::fs::rename(&beside, index).is_err() {
        let _ = std::fs::remove_file(beside);
    }
}

fn load(index: &Path) -> HashMap<Vec<u8>, (Marks, Digest)> {
    let bytes = std::fs::read(index).unwrap_or_default();
    // A file cut short by a power cut is as good as none.
    let body = bytes.split_last_chunk::<32>().filter(|(body, sum)| Digest::of(body).bytes() == *sum).map(|(body, _)| body);
    let Some(mut body) = body.and_then(|body| body.strip_prefix(MAGIC)) else { return HashMap::new() };
    let mut contents = HashMap::with_capacity(body.len() / 120);
    while let Some((path, marks, digest)) = row(&mut body) {
        contents.insert(path, (marks, digest));
    }
    contents
}

fn row(body: &mut &[u8]) -> Option<(Vec<u8>, Marks, Digest)> {
    let length = u16::from_le_bytes(take(body)?);
    let (path, rest) = body.split_at_checked(length.into())?;
    let path = path.to_vec();
    *body = rest;
    let mut number = || take(body).map(u64::from_le_bytes);
    let (size, mtime, mtime_nanos, ctime, ctime_nanos, inode, device) =
        (number()?, number()?, number()?, number()?, number()?, number()?, number()?);
    let nanos = |nanos: u64| u32::try_from(nanos).ok();
    let marks =
        Marks { size, mtime: (mtime.cast_signed(), nanos(mtime_nanos)?), ctime: (ctime.cast_signed(), nanos(ctime_nanos)?), inode, device };
    Some((path, marks, Digest::from_bytes(take(body)?)))
}

fn take<const N: usize>(body: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = body.split_first_chunk::<N>()?;
    *body = rest;
    Some(*first)
}
