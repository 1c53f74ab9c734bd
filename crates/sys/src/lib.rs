//! The only unsafe code: system calls, each behind a safe function.
//!
//! Most of it is `rustix`; what that lacks (clone3, mount_setattr, close_range, seccomp, execve, signalfd) is here in raw form.

pub mod creds;
pub mod disk;
pub mod fds;
pub mod kernel;
pub mod map;
pub mod mount;
pub mod netns;
pub mod path;
pub mod proc;
pub mod pty;
pub mod seccomp;
pub mod socket;
pub mod task;
pub mod xattr;

pub use path::{Root, openat2_in_root};

/// Turns the `-1 and errno` convention into a result.
pub(crate) fn check(answer: libc::c_long) -> std::io::Result<libc::c_long> {
    if answer < 0 { Err(std::io::Error::last_os_error()) } else { Ok(answer) }
}
