//! Memory file systems below a pod's folder.

use rustix::mount::{MountFlags, UnmountFlags};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Mounts one on a folder unless it is there; true when it was not.
pub(super) fn ensure(folder: &Path, size_bytes: Option<u64>, mode: u32) -> Result<bool, String> {
    if is_mounted(folder)? {
        return Ok(false);
    }
    let size = size_bytes.map(|bytes| format!(",size={bytes}")).unwrap_or_default();
    let options = std::ffi::CString::new(format!("mode={mode:o}{size}")).map_err(|error| error.to_string())?;
    rustix::mount::mount("tmpfs", folder, "tmpfs", MountFlags::NODEV | MountFlags::NOSUID, options.as_c_str())
        .map_err(|error| format!("cannot mount memory on {}: {error}", folder.display()))?;
    Ok(true)
}

fn is_mounted(folder: &Path) -> Result<bool, String> {
    let text = |error: std::io::Error| format!("{}: {error}", folder.display());
    let above = folder.parent().unwrap_or(Path::new("/"));
    Ok(std::fs::metadata(folder).map_err(text)?.dev() != std::fs::metadata(above).map_err(text)?.dev())
}

/// Unmounts everything at and below a folder, the innermost first.
///
/// # Errors
/// The first mount that does not go.
pub fn unmount_below(folder: &Path) -> Result<(), String> {
    let table = std::fs::read_to_string("/proc/self/mountinfo").map_err(|error| format!("/proc/self/mountinfo: {error}"))?;
    // Column 5 is the mount point, with octal escapes (proc_pid_mountinfo(5)).
    let points = table.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape);
    let below: Vec<_> = points.filter(|point| Path::new(point).starts_with(folder)).collect();
    for point in below.iter().rev() {
        rustix::mount::unmount(point.as_str(), UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
            .map_err(|error| format!("cannot unmount {point}: {error}"))?;
    }
    Ok(())
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let octal = (first == b'\\').then(|| after.get(..3)).flatten().and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn mount_points_are_unescaped() {
        assert_eq!(super::unescape(r"/a\040b\134c"), r"/a b\c");
        assert_eq!(super::unescape(r"/a\04"), r"/a\04");
    }
}
