//! Open descriptors: marking, copying, pipes, sealed memory.

use crate::check;
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::pipe::PipeFlags;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Closes every descriptor from `first` on when this process becomes another program; until then they stay open.
///
/// # Errors
/// What the system says (Linux 5.11 knows it).
pub fn close_on_exec_from(first: u32) -> io::Result<()> {
    const CLOSE_RANGE_CLOEXEC: u32 = 4;
    // SAFETY: plain integers; nothing is closed now.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, CLOSE_RANGE_CLOEXEC) }).map(drop)
}

/// Closes every descriptor of this process but one, for a copy that never returns to code that owns any.
pub fn close_all_but(kept: impl AsFd) {
    let kept = kept.as_fd().as_raw_fd().cast_unsigned();
    for (first, last) in [(0, kept.wrapping_sub(1)), (kept + 1, u32::MAX)] {
        if first <= last && (kept > 0 || first > 0) {
            // SAFETY: plain integers. Owners of the closed numbers exist only in code that the caller promises not to return to;
            // a later use of one would fail with EBADF.
            unsafe { libc::syscall(libc::SYS_close_range, first, last, 0_u32) };
        }
    }
}

/// Makes `source` the standard input (0), output (1) or error (2) of this process, kept across exec.
///
/// # Errors
/// `EINVAL` for another number; what `dup2` says.
pub fn redirect(source: impl AsFd, number: u32) -> io::Result<()> {
    let number = i32::try_from(number).ok().filter(|number| *number < 3).ok_or(rustix::io::Errno::INVAL)?;
    // SAFETY: plain integers; the descriptor that is replaced is one of the standard three, which nothing here owns.
    unsafe {
        check(libc::dup2(source.as_fd().as_raw_fd(), number).into())?;
        // dup2 onto itself leaves the mark as it was.
        check(libc::fcntl(number, libc::F_SETFD, 0).into()).map(drop)
    }
}

/// Leaves a copy of a descriptor open under a given number, also across exec. For the demonstration of attacks.
///
/// # Errors
/// What `dup2` says.
pub fn redirect_to(source: impl AsFd, number: i32) -> io::Result<()> {
    // SAFETY: plain integers. The number is one that only demonstrations use, in a process that is about to become another program.
    check(unsafe { libc::dup2(source.as_fd().as_raw_fd(), number) }.into()).map(drop)
}

/// A pipe, both ends close-on-exec: reading end, writing end.
///
/// # Errors
/// What the system says.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?)
}

/// Another descriptor of the same open file, close-on-exec.
///
/// # Errors
/// What the system says.
pub fn duplicate(fd: impl AsFd) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(fd, 3)?)
}

/// Makes reads and writes of an open file return `EAGAIN` instead of waiting, or wait again.
///
/// # Errors
/// What the system says.
pub fn set_nonblocking(fd: impl AsFd, nonblocking: bool) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(fd.as_fd())?;
    let wanted = if nonblocking { flags | rustix::fs::OFlags::NONBLOCK } else { flags - rustix::fs::OFlags::NONBLOCK };
    Ok(rustix::fs::fcntl_setfl(fd, wanted)?)
}

/// A file in memory that holds `content` and can never be changed again.
///
/// # Errors
/// What the system says.
pub fn sealed_memory(name: &str, content: &[u8]) -> io::Result<OwnedFd> {
    let fd = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    let mut file = std::fs::File::from(fd);
    file.write_all(content)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    Ok(file.into())
}

/// Gives an open file, pipe or terminal to a user.
///
/// # Errors
/// What the system says.
pub fn give_to(fd: impl AsFd, uid: u32, gid: Option<u32>) -> io::Result<()> {
    let gid = gid.map(rustix::fs::Gid::from_raw);
    Ok(rustix::fs::fchown(fd, Some(rustix::fs::Uid::from_raw(uid)), gid)?)
}

/// The number of a descriptor, for file descriptors in mount options and the like.
pub fn number(fd: BorrowedFd<'_>) -> i32 {
    fd.as_raw_fd()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn sealed_memory_cannot_be_changed() {
        let mut file = std::fs::File::from(sealed_memory("test", b"kept").expect("made"));
        assert!(file.write_all(b"x").is_err());
        assert!(std::fs::OpenOptions::new().write(true).open(crate::path::fd_path(&file)).and_then(|mut f| f.write_all(b"x")).is_err());
        let mut text = String::new();
        io::Seek::rewind(&mut file).expect("rewound");
        file.read_to_string(&mut text).expect("read");
        assert_eq!(text, "kept");
    }
}
