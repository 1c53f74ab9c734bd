//! Paths inside a root that others may write to: resolved by the kernel, never leaving it (`openat2`).

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

/// Symbolic links followed by hand while making folders; as many as the kernel follows.
const MAX_LINKS: u32 = 40;

/// Opens `path` as if `root` were `/`: absolute links and `..` stay inside, magic links (`/proc/self/fd`) are refused.
/// The result is close-on-exec.
///
/// # Errors
/// `ELOOP` for a magic link, and what `open` says.
pub fn openat2_in_root(root: impl AsFd, path: impl AsRef<Path>, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    resolve(root.as_fd(), path.as_ref(), flags, mode, ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)
}

/// Opens `path` below `root` without a single symbolic link, and without crossing a mount.
///
/// # Errors
/// `ELOOP` for a link, `EXDEV` for a mount or a way out, and what `open` says.
pub fn open_beneath_strict(root: impl AsFd, path: impl AsRef<Path>, flags: OFlags) -> io::Result<OwnedFd> {
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV | ResolveFlags::NO_MAGICLINKS;
    resolve(root.as_fd(), path.as_ref(), flags, Mode::empty(), how)
}

fn resolve(root: BorrowedFd<'_>, path: &Path, flags: OFlags, mode: Mode, how: ResolveFlags) -> io::Result<OwnedFd> {
    // An empty path is the root itself; and the kernel asks to try again when a rename raced with `..`.
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    for _ in 0..128 {
        match rustix::fs::openat2(root, path, flags | OFlags::CLOEXEC, mode, how) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
    Err(Errno::AGAIN.into())
}

/// A folder that is taken as `/` for every path given to it.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
}

impl AsFd for Root {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<OwnedFd> for Root {
    fn from(fd: OwnedFd) -> Self {
        Self { fd }
    }
}

impl Root {
    /// Opens a folder of the host; its own path is resolved as usual.
    ///
    /// # Errors
    /// What `open` says.
    pub fn open(path: &Path) -> io::Result<Self> {
        let fd = rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Self { fd })
    }

    /// A handle that names the place only (`O_PATH`).
    ///
    /// # Errors
    /// What `open` says.
    pub fn at(&self, path: impl AsRef<Path>) -> io::Result<OwnedFd> {
        openat2_in_root(self, path, OFlags::PATH, Mode::empty())
    }

    /// As [`Root::at`], but a link at the end is not followed.
    ///
    /// # Errors
    /// What `open` says.
    pub fn at_nofollow(&self, path: impl AsRef<Path>) -> io::Result<OwnedFd> {
        openat2_in_root(self, path, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty())
    }

    /// The content of a file, at most `limit` bytes of it. Never waits for a pipe, never opens a device.
    ///
    /// # Errors
    /// What `open` says; `EINVAL` when it is no regular file.
    pub fn read(&self, path: impl AsRef<Path>, limit: u64) -> io::Result<Vec<u8>> {
        let fd = openat2_in_root(self, path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY, Mode::empty())?;
        if FileType::from_raw_mode(rustix::fs::fstat(&fd)?.st_mode) != FileType::RegularFile {
            return Err(Errno::INVAL.into());
        }
        let mut content = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(std::fs::File::from(fd), limit), &mut content)?;
        Ok(content)
    }

    /// A folder, made with those above it when missing (mode 0755). Links lead only within the root, also dangling ones.
    ///
    /// # Errors
    /// `ENOTDIR` when something else is in the way, `ELOOP`, and what `mkdir` says.
    pub fn make_folders(&self, path: impl AsRef<Path>) -> io::Result<OwnedFd> {
        self.make(path.as_ref(), &mut MAX_LINKS.clone())
    }

    /// A file, made empty (mode 0644) with the folders above it when missing; whatever is there already is taken.
    ///
    /// # Errors
    /// `EISDIR` for a path without a last name, and what `open` says.
    pub fn make_file(&self, path: impl AsRef<Path>) -> io::Result<OwnedFd> {
        let path = clean(path.as_ref());
        if let Ok(found) = self.at(&path) {
            return Ok(found);
        }
        let name = path.file_name().ok_or(Errno::ISDIR)?;
        let folder = self.make_folders(path.parent().unwrap_or(Path::new("")))?;
        let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK;
        match openat2_in_root(&folder, name, flags | OFlags::NOFOLLOW, Mode::from_raw_mode(0o644)) {
            // A link that leads nowhere: what it names is made, seen from the root.
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
                drop(openat2_in_root(self, &path, flags, Mode::from_raw_mode(0o644))?);
            }
            other => drop(other?),
        }
        self.at(&path)
    }

    fn make(&self, path: &Path, links: &mut u32) -> io::Result<OwnedFd> {
        let path = clean(path);
        if let Ok(found) = openat2_in_root(self, &path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()) {
            return Ok(found);
        }
        let mut made = PathBuf::new();
        let mut folder = self.at(".")?;
        for name in path.iter() {
            made.push(name);
            folder = match openat2_in_root(self, &made, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()) {
                Ok(found) => found,
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => self.make_one(&folder, name, &made, links)?,
                Err(error) => return Err(error),
            };
        }
        Ok(folder)
    }

    fn make_one(&self, folder: &OwnedFd, name: &OsStr, path: &Path, links: &mut u32) -> io::Result<OwnedFd> {
        match rustix::fs::mkdirat(folder, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => {}
            // There is something by that name that leads nowhere: a dangling link. Make what it names.
            Err(Errno::EXIST) => {
                *links = links.checked_sub(1).ok_or(Errno::LOOP)?;
                if let Ok(target) = rustix::fs::readlinkat(folder, name, Vec::new()) {
                    let target = Path::new(OsStr::new(std::str::from_utf8(target.as_bytes()).map_err(|_| Errno::INVAL)?)).to_path_buf();
                    let parent = path.parent().unwrap_or(Path::new(""));
                    return self.make(&parent.join(target), links);
                }
            }
            Err(error) => return Err(error.into()),
        }
        openat2_in_root(self, path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())
    }
}

/// Whether two handles name the same file.
///
/// # Errors
/// What `fstat` says.
pub fn same_file(one: impl AsFd, other: impl AsFd) -> io::Result<bool> {
    let (one, other) = (rustix::fs::fstat(one)?, rustix::fs::fstat(other)?);
    Ok(one.st_dev == other.st_dev && one.st_ino == other.st_ino)
}

/// The path by which system calls that know no handles reach an open one: `/proc/self/fd/N`.
pub fn fd_path(fd: impl AsFd) -> String {
    format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())
}

/// Whether a name exists in an open folder; a link counts as itself.
pub fn exists_at(folder: impl AsFd, name: &str) -> bool {
    rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
}

// Relative, without `.`; `..` is taken by the text, as the target of a mount is a name, not a walk.
fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => drop(clean.pop()),
            _ => {}
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn scratch(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("wharf-path-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("root/in")).expect("folder");
        path
    }

    #[test]
    fn links_and_dots_never_lead_out() {
        let top = scratch("out");
        std::fs::write(top.join("secret"), "host").expect("written");
        std::fs::write(top.join("root/secret"), "inside").expect("written");
        symlink("/secret", top.join("root/in/absolute")).expect("link");
        symlink("../../../../secret", top.join("root/in/dots")).expect("link");
        symlink("/proc/self/root/etc/hostname", top.join("root/in/magic")).expect("link");
        let root = Root::open(&top.join("root")).expect("root");
        for path in ["in/absolute", "in/dots", "/../../secret"] {
            assert_eq!(root.read(path, 100).expect(path), b"inside");
        }
        assert!(root.read("in/magic", 100).is_err());
        let proc = Root::open(Path::new("/proc")).expect("proc");
        assert_eq!(proc.at("self/root/etc").expect_err("magic").raw_os_error(), Some(libc::ELOOP));
        std::fs::remove_dir_all(top).expect("removed");
    }

    #[test]
    fn makes_folders_through_dangling_links_inside() {
        let top = scratch("make");
        symlink("/run/deep", top.join("root/var")).expect("link");
        symlink("loop", top.join("root/loop")).expect("link");
        symlink("/../../out", top.join("root/escape")).expect("link");
        let root = Root::open(&top.join("root")).expect("root");
        root.make_folders("/var/lib").expect("made");
        assert!(top.join("root/run/deep/lib").is_dir());
        root.make_folders("escape/x").expect("made inside");
        assert!(top.join("root/out/x").is_dir() && !top.join("out").exists());
        assert!(root.make_folders("loop/x").is_err());
        root.make_file("/in/new/file").expect("file");
        assert!(top.join("root/in/new/file").is_file());
        std::fs::remove_dir_all(top).expect("removed");
    }
}
