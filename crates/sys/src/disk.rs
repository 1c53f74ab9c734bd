//! Space and durability of files.

use std::io;
use std::os::fd::AsFd;

/// Reserves `length` bytes from `offset` so that later writes there cannot fail for lack of room; the file grows.
///
/// # Errors
/// `ENOSPC`, or `EOPNOTSUPP` where the file system cannot.
pub fn fallocate(file: impl AsFd, offset: u64, length: u64) -> io::Result<()> {
    Ok(rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), offset, length)?)
}

/// Makes written data durable, and of the metadata only what is needed to read it.
///
/// # Errors
/// What the system says; the data must then be taken as lost.
pub fn fdatasync(file: impl AsFd) -> io::Result<()> {
    Ok(rustix::fs::fdatasync(file)?)
}
