//! Terminals: a pair opened from one `devpts`, never by the name of its other end.

use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// File system type of `/dev/pts` (`DEVPTS_SUPER_MAGIC`).
const DEVPTS: u64 = 0x1cd1;

/// Opens a terminal pair from an open `devpts` folder: the side of whoever watches, and the program's side.
///
/// # Errors
/// When the folder is no `devpts`, and what the system says.
pub fn open_pair(devpts: impl AsFd) -> io::Result<(OwnedFd, OwnedFd)> {
    if crate::proc::file_system(devpts.as_fd())? != DEVPTS {
        return Err(io::Error::other("/dev/pts is not a devpts file system"));
    }
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let outer = rustix::fs::openat(devpts, "ptmx", flags, Mode::empty())?;
    rustix::pty::unlockpt(&outer)?;
    // TIOCGPTPEER: by the pair itself, so nobody can put another file in the place of /dev/pts/N.
    let inner = rustix::pty::ioctl_tiocgptpeer(&outer, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    Ok((outer, inner))
}

/// Makes a terminal the controlling one of this process, which must lead a session ([`new_session`]).
///
/// # Errors
/// What the system says.
pub fn take_control(terminal: impl AsFd) -> io::Result<()> {
    Ok(rustix::process::ioctl_tiocsctty(terminal)?)
}

/// Leads a new session, without a terminal.
///
/// # Errors
/// `EPERM` when it leads a process group already.
pub fn new_session() -> io::Result<()> {
    rustix::process::setsid()?;
    Ok(())
}

/// Sets a terminal's size.
///
/// # Errors
/// `ENOTTY` when it is no terminal.
pub fn resize(terminal: impl AsFd, columns: u16, rows: u16) -> io::Result<()> {
    let size = rustix::termios::Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(rustix::termios::tcsetwinsize(terminal, size)?)
}
