//! Extended attributes of a file, never of what a symbolic link points to.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

/// The largest value the kernel stores (`XATTR_SIZE_MAX`).
const MAX: usize = 65_536;

/// The value of an attribute; `None` when the file has none of that name, or its file system knows no attributes.
///
/// # Errors
/// What the system says otherwise.
pub fn get(path: &Path, name: &str) -> io::Result<Option<Vec<u8>>> {
    absent(read(|buffer| rustix::fs::lgetxattr(path, name, buffer)))
}

/// As [`get`], of an open file.
///
/// # Errors
/// What the system says otherwise.
pub fn get_fd(file: impl AsFd, name: &str) -> io::Result<Option<Vec<u8>>> {
    absent(read(|buffer| rustix::fs::fgetxattr(file.as_fd(), name, buffer)))
}

/// Sets an attribute, new or not.
///
/// # Errors
/// What the system says: no permission, no room, not supported.
pub fn set(path: &Path, name: &str, value: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::lsetxattr(path, name, value, rustix::fs::XattrFlags::empty())?)
}

/// As [`set`], of an open file.
///
/// # Errors
/// What the system says: no permission, no room, not supported.
pub fn set_fd(file: impl AsFd, name: &str, value: &[u8]) -> io::Result<()> {
    Ok(rustix::fs::fsetxattr(file, name, value, rustix::fs::XattrFlags::empty())?)
}

/// Removes an attribute.
///
/// # Errors
/// What the system says; `ENODATA` when there is none.
pub fn remove(path: &Path, name: &str) -> io::Result<()> {
    Ok(rustix::fs::lremovexattr(path, name)?)
}

/// The names of all attributes, sorted; none where the file system knows no attributes.
///
/// # Errors
/// What the system says otherwise.
pub fn list(path: &Path) -> io::Result<Vec<String>> {
    let names = absent(read(|buffer| rustix::fs::llistxattr(path, buffer)))?.unwrap_or_default();
    Ok(split(&names))
}

/// As [`list`], of an open file.
///
/// # Errors
/// What the system says otherwise.
pub fn list_fd(file: impl AsFd) -> io::Result<Vec<String>> {
    let names = absent(read(|buffer| rustix::fs::flistxattr(file.as_fd(), buffer)))?.unwrap_or_default();
    Ok(split(&names))
}

fn split(names: &[u8]) -> Vec<String> {
    let parts = names.split(|&byte| byte == 0).filter(|name| !name.is_empty());
    let mut names: Vec<String> = parts.map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    names.sort();
    names
}

// A small buffer first: nearly every value and list fits, and the large one is 64 KiB of zeroes.
fn read(mut call: impl FnMut(&mut [u8]) -> rustix::io::Result<usize>) -> rustix::io::Result<Vec<u8>> {
    let mut buffer = vec![0; 512];
    let length = match call(&mut buffer) {
        Err(rustix::io::Errno::RANGE) => {
            buffer.resize(MAX, 0);
            call(&mut buffer)?
        }
        other => other?,
    };
    buffer.truncate(length);
    Ok(buffer)
}

fn absent(result: rustix::io::Result<Vec<u8>>) -> io::Result<Option<Vec<u8>>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(rustix::io::Errno::NODATA | rustix::io::Errno::OPNOTSUPP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
#[allow(clippy::print_stdout, reason = "tests say what they skip")]
mod tests {
    use super::*;

    #[test]
    fn sets_lists_and_removes() {
        let path = std::env::temp_dir().join(format!("wharf-xattr-{}", std::process::id()));
        std::fs::write(&path, "x").expect("written");
        if let Err(error) = set(&path, "user.one", b"1") {
            println!("skipped: no user attributes here: {error}");
        } else {
            let long = vec![7; 2_000];
            set(&path, "user.two", &long).expect("set");
            assert_eq!(get(&path, "user.two").expect("read"), Some(long));
            assert_eq!(get(&path, "user.none").expect("read"), None);
            assert_eq!(list(&path).expect("list"), ["user.one", "user.two"]);
            remove(&path, "user.one").expect("removed");
            assert_eq!(list_fd(std::fs::File::open(&path).expect("open")).expect("list"), ["user.two"]);
        }
        std::fs::remove_file(path).expect("removed");
    }
}
