//! Kernel settings below `/proc/sys`, as the calling thread's network namespace sees them.

use std::io;
use std::path::PathBuf;

/// Reads a setting, without the line's end.
///
/// # Errors
/// When it does not exist or may not be read.
pub(crate) fn get(name: &str) -> io::Result<String> {
    Ok(std::fs::read_to_string(path(name))?.trim().to_owned())
}

/// Writes a setting.
///
/// # Errors
/// When it does not exist or may not be written.
pub(crate) fn set(name: &str, value: &str) -> io::Result<()> {
    std::fs::write(path(name), value).map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))
}

/// Writes a setting where the kernel has it: one without IPv6 has none of its settings.
///
/// # Errors
/// When it may not be written.
pub(crate) fn set_if_there(name: &str, value: &str) -> io::Result<()> {
    match set(name, value) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from("/proc/sys").join(name)
}
