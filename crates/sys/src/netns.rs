//! Network namespaces as files, and threads inside them.

use crate::proc::thread_self;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MountPropagationFlags, UnmountFlags};
use rustix::thread::{LinkNameSpaceType, UnshareFlags};
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// Makes a network namespace, with its loopback link down, and keeps it by a mount on the file `path` (made when missing).
/// The namespace lives until [`remove`] and the end of all who are inside.
///
/// # Errors
/// What the system says: `EPERM` without `CAP_SYS_ADMIN`; `EBUSY` is not told, a second call mounts over the first.
pub fn create(path: &Path) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).open(path)?;
    // A throw-away thread moves; the caller's own namespace is never touched.
    in_thread(|| {
        unshare(UnshareFlags::NEWNET)?;
        rustix::mount::mount_bind(thread_self("ns/net"), path)?;
        // Where `/` is shared the mount must not be copied into every namespace that comes.
        rustix::mount::mount_change(path, MountPropagationFlags::PRIVATE)?;
        Ok(())
    })
}

/// Takes the mount and the file away; neither being there is success.
///
/// # Errors
/// What the system says otherwise.
pub fn remove(path: &Path) -> io::Result<()> {
    loop {
        match rustix::mount::unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            Ok(()) => {}
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => break,
            Err(error) => return Err(error.into()),
        }
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens a namespace file.
///
/// # Errors
/// What `open` says.
pub fn open(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::openat(CWD, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

/// Moves the calling thread, and only it, into a network namespace. It cannot be left but by entering another:
/// call it on a thread of its own ([`run_in`]).
///
/// # Errors
/// What `setns` says.
pub fn enter(namespace: impl AsFd) -> io::Result<()> {
    Ok(rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?)
}

/// Runs `work` on a throw-away thread inside the namespace kept at `path`; sockets made there stay in it.
///
/// # Errors
/// When the namespace cannot be entered, and what `work` says.
pub fn run_in<T: Send>(path: &Path, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    let namespace = open(path)?;
    in_thread(|| {
        enter(&namespace)?;
        work()
    })
}

/// Moves the calling thread into new namespaces.
///
/// # Errors
/// `EINVAL` for flags that are no namespaces; what the system says.
pub fn unshare(flags: UnshareFlags) -> io::Result<()> {
    if flags.intersects(UnshareFlags::FILES | UnshareFlags::FS | UnshareFlags::SYSVSEM) {
        return Err(rustix::io::Errno::INVAL.into());
    }
    // SAFETY: only the flag FILES can break handles of other threads; it was refused above.
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}

fn in_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("netns".to_owned()).stack_size(256 << 10).spawn_scoped(scope, work)?;
        thread.join().map_err(|_| io::Error::other("the thread inside the namespace panicked"))?
    })
}

#[cfg(test)]
#[allow(clippy::print_stdout, reason = "tests say what they skip")]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_made_entered_and_removed() {
        let path = std::env::temp_dir().join(format!("wharf-netns-{}", std::process::id()));
        let links = || std::fs::read_to_string("/proc/thread-self/net/dev").map(|text| text.lines().count());
        let here = std::fs::read_link("/proc/thread-self/ns/net").expect("link");
        match create(&path) {
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => println!("skipped: network namespaces need root"),
            other => {
                other.expect("created");
                // Two lines of heading and the loopback link.
                assert_eq!(run_in(&path, links).expect("inside"), 3);
                assert_ne!(run_in(&path, || std::fs::read_link("/proc/thread-self/ns/net")).expect("inside"), here);
                remove(&path).expect("removed");
                assert!(!path.exists());
            }
        }
        remove(&path).expect("gone already");
        assert_eq!(std::fs::read_link("/proc/thread-self/ns/net").expect("link"), here);
    }
}
