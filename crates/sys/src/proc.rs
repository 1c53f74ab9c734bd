//! `/proc`, checked to be what it says before anything is read from or written to it.

use crate::path::open_beneath_strict;
use rustix::fs::{CWD, Mode, OFlags};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};

/// A path below `/proc/thread-self`, which names the calling thread also when it is not the first.
pub fn thread_self(below: &str) -> String {
    format!("/proc/thread-self/{below}")
}

/// Whether a handle lies on a file system of type proc.
///
/// # Errors
/// What `fstatfs` says.
pub fn is_procfs(fd: impl AsFd) -> io::Result<bool> {
    Ok(rustix::fs::fstatfs(fd)?.f_type == rustix::fs::PROC_SUPER_MAGIC)
}

/// The magic number of a handle's file system, as `statfs` tells it.
///
/// # Errors
/// What `fstatfs` says.
pub fn file_system(fd: impl AsFd) -> io::Result<u64> {
    // The field's type differs between machines; magic numbers are 32 bit.
    Ok(rustix::fs::fstatfs(fd)?.f_type.cast_unsigned() & 0xffff_ffff)
}

/// The host's `/proc`, proven to be one.
#[derive(Debug)]
pub struct Proc {
    fd: OwnedFd,
}

impl Proc {
    /// Opens `/proc`.
    ///
    /// # Errors
    /// When it cannot be opened, or is another file system.
    pub fn open() -> io::Result<Self> {
        let fd = rustix::fs::openat(CWD, "/proc", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        if !is_procfs(&fd)? {
            return Err(io::Error::other("/proc is not a proc file system"));
        }
        Ok(Self { fd })
    }

    /// Writes a file below `/proc`, such as `sys/net/ipv4/ip_forward` or `PID/oom_score_adj`; no links, nothing mounted over it.
    ///
    /// # Errors
    /// What `open` and `write` say; `EXDEV` when something is mounted over it.
    pub fn write(&self, below: &str, value: &[u8]) -> io::Result<()> {
        let fd = open_beneath_strict(&self.fd, below, OFlags::WRONLY)?;
        if !is_procfs(&fd)? {
            return Err(io::Error::other(format!("/proc/{below} is not on a proc file system")));
        }
        std::fs::File::from(fd).write_all(value)
    }
}

/// When a process started, in clock ticks since boot: with the process id it names one process for good.
///
/// # Errors
/// `NotFound` when there is no such process.
pub fn start_ticks(pid: u32) -> io::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the name in brackets and may hold anything; the 22nd is the 20th after it.
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks = after.split_ascii_whitespace().nth(19).and_then(|field| field.parse().ok());
    ticks.ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat cannot be understood")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proves_proc() {
        assert!(is_procfs(std::fs::File::open("/proc").expect("open")).expect("asked"));
        assert!(!is_procfs(std::fs::File::open("/").expect("open")).expect("asked"));
        Proc::open().expect("here is one");
        assert!(start_ticks(std::process::id()).expect("this process") > 0);
        assert_eq!(start_ticks(u32::MAX).expect_err("none").kind(), io::ErrorKind::NotFound);
    }
}
