//! What is made in a root to mount on, and taken away again: a layer shows no trace of its step's mounts, as with BuildKit.

use crate::error::Trouble;
use base::files::FileError;
use blobs::View;
use oci::tar::EntryPath;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What every container has mounted.
const USUAL: [&str; 6] = ["dev", "proc", "sys", "etc/resolv.conf", "etc/hosts", "etc/hostname"];

/// How a folder of the written layer is opened; another one only to show that this one is needed.
type Open = fn(&OwnedFd, &EntryPath) -> io::Result<OwnedFd>;

/// The places that mounts of a step need, found before it runs.
#[derive(Debug)]
pub(crate) struct Stubs {
    /// Targets and the folders above them, the deepest first.
    places: Vec<EntryPath>,
}

impl Stubs {
    /// For mounts at these targets of a root.
    pub(crate) fn of<'a>(targets: impl Iterator<Item = &'a str>, view: &View) -> Result<Self, Trouble> {
        let mut places = BTreeSet::new();
        for target in USUAL.into_iter().chain(targets) {
            // As the runtime resolves it: links lead within the root, dangling ones too.
            let mut place = view.resolve(target.as_bytes())?;
            while let Some((above, _)) = place.split() {
                places.insert(std::mem::replace(&mut place, above));
            }
        }
        let mut places: Vec<_> = places.into_iter().collect();
        places.sort_by_key(|place| std::cmp::Reverse(place.as_bytes().iter().filter(|&&b| b == b'/').count()));
        Ok(Self { places })
    }

    /// Takes empty files and folders away that were not there before, and folders that were copied up without a change.
    pub(crate) fn clear(&self, upper: &Path, view: &View) -> Result<(), Trouble> {
        self.clear_by(upper, view, strictly)
    }

    /// By the handles of folders that no link led to: the step may have put links anywhere, also to the host's own folders
    /// (CVE-2024-23652).
    fn clear_by(&self, upper: &Path, view: &View, open: Open) -> Result<(), Trouble> {
        let fail = |error: io::Error| FileError::new("clear", upper, error);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(upper, flags, Mode::empty()).map_err(|error| fail(error.into()))?;
        for place in &self.places {
            let Some((above, name)) = place.split() else { continue };
            // Gone, or a link by now: then no mount's trace is there.
            let Ok(folder) = open(&root, &above) else { continue };
            clear_one(&folder, OsStr::from_bytes(name), view, place).map_err(fail)?;
        }
        Ok(())
    }
}

fn clear_one(folder: &OwnedFd, name: &OsStr, view: &View, place: &EntryPath) -> io::Result<()> {
    let Ok(stat) = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { return Ok(()) };
    let before = view.node(place).map_err(|error| error.source)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    match before {
        None if kind == FileType::Directory => remove_if_empty(folder, name),
        None if kind == FileType::RegularFile && stat.st_size == 0 => Ok(rustix::fs::unlinkat(folder, name, AtFlags::empty())?),
        Some(before) if before.is_folder() && kind == FileType::Directory => {
            let same = (before.stat.st_mode, before.stat.st_uid, before.stat.st_gid) == (stat.st_mode, stat.st_uid, stat.st_gid);
            if same && !is_opaque(folder, name)? { remove_if_empty(folder, name) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

fn remove_if_empty(folder: &OwnedFd, name: &OsStr) -> io::Result<()> {
    match rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR) {
        Err(rustix::io::Errno::NOTEMPTY | rustix::io::Errno::EXIST) => Ok(()),
        other => Ok(other?),
    }
}

fn is_opaque(folder: &OwnedFd, name: &OsStr) -> io::Result<bool> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(folder, name, flags, Mode::empty())?;
    blobs::is_opaque(&PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))).map_err(|error| error.source)
}

fn strictly(root: &OwnedFd, folder: &EntryPath) -> io::Result<OwnedFd> {
    let name: &[u8] = if folder.is_root() { b"." } else { folder.as_bytes() };
    sys::path::open_beneath_strict(root, OsStr::from_bytes(name), OFlags::PATH | OFlags::DIRECTORY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn by_name(root: &OwnedFd, folder: &EntryPath) -> io::Result<OwnedFd> {
        let plain = format!("/proc/self/fd/{}/{folder}", root.as_raw_fd());
        Ok(rustix::fs::open(plain, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?)
    }

    struct Place(PathBuf);

    impl Place {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("wharf-stubs-{}-{}", std::process::id(), base::ids::suffix(6)));
            for name in ["tree", "upper", "host/keep"] {
                fs::create_dir_all(path.join(name)).expect("folder");
            }
            fs::write(path.join("host/resolv.conf"), "").expect("written");
            Self(path)
        }

        fn view(&self) -> View {
            View::open(&[self.0.join("tree")]).expect("view")
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// CVE-2024-23652: a step swaps the folder of a mount's target for a link, and the clean-up follows it.
    #[test]
    fn cve_2024_23652_nothing_outside_is_removed_through_a_link() {
        for (open, sound) in [(by_name as Open, false), (strictly as Open, true)] {
            let place = Place::new();
            let stubs = Stubs::of(["/app/keep"].into_iter(), &place.view()).expect("stubs");
            // What the step leaves behind: `etc` and `app` are links out of the root.
            symlink(place.0.join("host"), place.0.join("upper/etc")).expect("link");
            symlink(place.0.join("host"), place.0.join("upper/app")).expect("link");
            stubs.clear_by(&place.0.join("upper"), &place.view(), open).expect("cleared");
            let left = [place.0.join("host/keep").exists(), place.0.join("host/resolv.conf").exists()];
            assert_eq!(left, [sound, sound], "with the plain names both are removed, else the test shows nothing");
            assert!(place.0.join("upper/app").is_symlink(), "the step's own link is part of its layer");
        }
    }

    #[test]
    fn only_what_mounting_made_is_removed() {
        let place = Place::new();
        let (tree, upper) = (place.0.join("tree"), place.0.join("upper"));
        for name in
            ["tree/home", "tree/var/lib", "tree/opt", "upper/home/.cache/pip", "upper/var/lib/apt", "upper/opt/kept", "upper/new/deep"]
        {
            fs::create_dir_all(place.0.join(name)).expect("folder");
        }
        symlink("/var/lib", tree.join("data")).expect("link");
        fs::write(upper.join("var/lib/apt/list"), "content").expect("written");
        fs::write(upper.join("new/deep/file"), "").expect("written");
        fs::set_permissions(upper.join("opt"), std::os::unix::fs::PermissionsExt::from_mode(0o700)).expect("mode");
        let targets = ["/home/.cache/pip", "/data/apt", "/opt/kept", "/new/deep/file"];
        let stubs = Stubs::of(targets.into_iter(), &place.view()).expect("stubs");
        stubs.clear(&upper, &place.view()).expect("cleared");
        let left = |name: &str| upper.join(name).exists();
        assert!(!left("home"), "copied up for the target alone");
        assert!(left("var/lib/apt/list"), "the step wrote there");
        assert!(left("opt") && !left("opt/kept"), "the step changed the folder's mode");
        assert!(!left("new"), "all of it was made for the mount");
    }
}
