//! Parts of `/proc` and `/sys` that tell too much of the host, or change it.

use crate::weak::{self, Weakness};
use rustix::fs::{FileType, OFlags};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use sys::Root;
use sys::mount::{self, Attributes};
use sys::path::open_beneath_strict;
use sys::proc::is_procfs;

/// Covered: folders by an empty one, files by `/dev/null`. The list of containerd and docker.
const MASKED: [&str; 10] =
    ["acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "timer_list", "timer_stats", "sched_debug", "scsi"];
/// Covered below `/sys`.
const MASKED_SYS: [&str; 2] = ["firmware", "devices/virtual/powercap"];
/// Made read-only.
const READ_ONLY: [&str; 5] = ["bus", "fs", "irq", "sys", "sysrq-trigger"];

/// Covers them in a `/proc` that was just mounted and is checked to be one; what a kernel does not have is passed over.
pub fn place(proc: &OwnedFd, root: &Root, null: &OwnedFd) -> io::Result<()> {
    if !is_procfs(proc)? {
        return Err(io::Error::other("/proc is not a proc file system"));
    }
    for name in MASKED {
        mask(proc.as_fd(), name, root, null)?;
    }
    if let Ok(sys) = open_beneath_strict(root, "sys", OFlags::PATH).or_else(|_| root.at_nofollow("sys")) {
        for name in MASKED_SYS {
            mask(sys.as_fd(), name, root, null)?;
        }
    }
    for name in READ_ONLY {
        if let Some(place) = present(open_beneath_strict(proc, name, OFlags::PATH))? {
            let copy = mount::copy_fd(&place, true)?;
            mount::set(&copy, Attributes { read_only: true, ..super::super::pod::proc_attributes() }, None, true)?;
            mount::attach(copy, place)?;
        }
    }
    Ok(())
}

fn mask(below: impl AsFd, name: &str, root: &Root, null: &OwnedFd) -> io::Result<()> {
    // No link, nothing mounted over it: the file that the kernel shows, or none.
    let Some(place) = present(open_beneath_strict(below, name, OFlags::PATH))? else { return Ok(()) };
    if FileType::from_raw_mode(rustix::fs::fstat(&place)?.st_mode) == FileType::Directory {
        let read_only = Attributes { read_only: true, ..super::super::pod::proc_attributes() };
        return mount::attach(mount::new("tmpfs", &[("size", Some("0")), ("mode", Some("555"))], read_only)?, place);
    }
    let cover = if weak::is(Weakness::MaskFromRoot) {
        // What a careless runtime does: the image's, or a volume's, idea of /dev/null.
        mount::copy_fd(root.at("dev/null")?, false)?
    } else {
        mount::copy_fd(null, false)?
    };
    mount::attach(cover, place)
}

fn present(opened: io::Result<OwnedFd>) -> io::Result<Option<OwnedFd>> {
    match opened {
        Ok(place) => Ok(Some(place)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // A volume lies over it: what is below cannot be reached.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::XDEV.raw_os_error()) => Ok(None),
        Err(error) => Err(error),
    }
}
