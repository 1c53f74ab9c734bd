//! Mounts by handles: what is mounted, and where, is opened first and cannot be swapped afterwards. Linux 5.12 or newer.

use crate::check;
use rustix::fs::CWD;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// Properties of a mount, set before anybody can see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// May not be written.
    pub read_only: bool,
    /// Device nodes are dead.
    pub no_devices: bool,
    /// Set-user-id bits and file capabilities mean nothing.
    pub no_set_id: bool,
    /// Nothing may be executed.
    pub no_exec: bool,
}

impl Attributes {
    fn bits(self) -> u64 {
        let flag = |on: bool, bit: u64| if on { bit } else { 0 };
        flag(self.read_only, 1) | flag(self.no_set_id, 2) | flag(self.no_devices, 4) | flag(self.no_exec, 8)
    }
}

/// How mounts made below one mount spread to its copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// Not at all.
    Private,
    /// Received, never sent.
    Slave,
    /// Both ways.
    Shared,
}

/// A copy of the mount (a bind) at a path of the host, not attached anywhere; `whole` takes along what is mounted below.
///
/// # Errors
/// What the system says.
pub fn copy(path: &Path, whole: bool) -> io::Result<OwnedFd> {
    let more = if whole { OpenTreeFlags::AT_RECURSIVE } else { OpenTreeFlags::empty() };
    Ok(rustix::mount::open_tree(CWD, path, OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | more)?)
}

/// As [`copy`], of the very file or folder of a handle.
///
/// # Errors
/// What the system says.
pub fn copy_fd(handle: impl AsFd, whole: bool) -> io::Result<OwnedFd> {
    let more = if whole { OpenTreeFlags::AT_RECURSIVE } else { OpenTreeFlags::empty() };
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH | more;
    Ok(rustix::mount::open_tree(handle, "", flags)?)
}

/// Adds attributes to a mount and, when `whole`, to all below it; sets how it spreads where told.
///
/// # Errors
/// What the system says.
pub fn set(mount: impl AsFd, add: Attributes, spread: Option<Spread>, whole: bool) -> io::Result<()> {
    #[repr(C)]
    struct MountAttr {
        set: u64,
        clear: u64,
        propagation: u64,
        userns: u64,
    }
    let propagation = match spread {
        None => 0,
        Some(Spread::Private) => libc::MS_PRIVATE,
        Some(Spread::Slave) => libc::MS_SLAVE,
        Some(Spread::Shared) => libc::MS_SHARED,
    };
    let attr = MountAttr { set: add.bits(), clear: 0, propagation, userns: 0 };
    let flags = libc::AT_EMPTY_PATH | if whole { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: an empty string that ends in zero, and the kernel's structure with its size; both outlive the call.
    let answer = unsafe {
        libc::syscall(libc::SYS_mount_setattr, mount.as_fd().as_raw_fd(), c"".as_ptr(), flags, &raw const attr, size_of::<MountAttr>())
    };
    check(answer).map(drop)
}

/// Attaches a mount that is nowhere yet onto the very place of a handle.
///
/// # Errors
/// What the system says.
pub fn attach(mount: impl AsFd, onto: impl AsFd) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(rustix::mount::move_mount(mount, "", onto, "", flags)?)
}

/// A new file system that is attached nowhere yet. `options` are `key=value` or a bare `key`.
///
/// # Errors
/// What the system says: an unknown type or option, no permission.
pub fn new(kind: &str, options: &[(&str, Option<&str>)], attributes: Attributes) -> io::Result<OwnedFd> {
    let context = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for &(key, value) in options {
        match value {
            Some(value) => rustix::mount::fsconfig_set_string(context.as_fd(), key, value)?,
            None => rustix::mount::fsconfig_set_flag(context.as_fd(), key)?,
        }
    }
    rustix::mount::fsconfig_create(context.as_fd())?;
    let bits = u32::try_from(attributes.bits()).unwrap_or(0);
    Ok(rustix::mount::fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::from_bits_retain(bits))?)
}

/// The classic call, where one string of options is wanted (an overlay of many layers).
///
/// # Errors
/// What the system says.
pub fn classic(kind: &str, target: &str, attributes: Attributes, options: &str) -> io::Result<()> {
    // The first four bits mean the same in both interfaces.
    let flags = MountFlags::from_bits_retain(u32::try_from(attributes.bits()).unwrap_or(0));
    let options = std::ffi::CString::new(options)?;
    Ok(rustix::mount::mount(kind, target, kind, flags, Some(options.as_c_str()))?)
}

/// Mounts of this namespace that come later stay in it; what the host mounts still arrives where `receive`.
///
/// # Errors
/// What the system says.
pub fn stop_spreading(receive: bool) -> io::Result<()> {
    let kind = if receive { MountPropagationFlags::DOWNSTREAM } else { MountPropagationFlags::PRIVATE };
    Ok(rustix::mount::mount_change("/", kind | MountPropagationFlags::REC)?)
}

/// Makes the mount of a handle the root of this mount namespace, and takes the old one away with all below it.
///
/// # Errors
/// What the system says: `EINVAL` when it is no mount of this namespace.
pub fn become_root(root: BorrowedFd<'_>) -> io::Result<()> {
    rustix::process::fchdir(root)?;
    rustix::process::pivot_root(".", ".")?;
    // The old root lies over the new one now; what it receives must not go back to the host.
    rustix::mount::mount_change(".", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?;
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    Ok(rustix::process::chdir("/")?)
}

/// Takes a mount away from its path, as soon as nobody uses it; not being there is success.
///
/// # Errors
/// What the system says otherwise.
pub fn detach(path: &Path) -> io::Result<()> {
    match rustix::mount::unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
        Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A handle on a file through which it can be read and executed, but never be opened for writing, not even by
/// `/proc/PID/exe` of a process that runs it: its mount is read-only, and is in no namespace, so nobody can change it.
///
/// # Errors
/// What the system says (`EPERM` without `CAP_SYS_ADMIN`).
pub fn read_only_handle(path: &Path) -> io::Result<OwnedFd> {
    let handle = copy(path, false)?;
    set(&handle, Attributes { read_only: true, ..Attributes::default() }, Some(Spread::Private), false)?;
    Ok(handle)
}
