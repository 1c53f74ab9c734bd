//! `fsGroup`: a volume's files belong to a group that all containers are in. Source: `pkg/volume/volume_linux.go`.

use crate::pod::Pod;
use k8s::Fields;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat};
use std::path::Path;

/// Folders deeper than this are not a volume of anybody's.
const DEPTH: usize = 512;

/// What a pod's volumes are to belong to.
pub(super) struct Rules {
    /// `fsGroup`.
    pub(super) group: Option<u32>,
    only_on_mismatch: bool,
}

impl Rules {
    pub(super) fn of(pod: &Pod, group: Option<u32>) -> Self {
        Self { group, only_on_mismatch: pod.object.text("spec.securityContext.fsGroupChangePolicy") == "OnRootMismatch" }
    }

    /// Gives a volume to the group: readable, writable unless `read_only`, folders with the set-group-id bit.
    pub(super) fn apply(&self, volume: &Path, read_only: bool) -> Result<(), String> {
        let Some(group) = self.group else { return Ok(()) };
        let text = |error: rustix::io::Errno| format!("fsGroup {group} on {}: {error}", volume.display());
        // The volume itself may be reached through a link; nothing below it may.
        let root = rustix::fs::open(volume, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).map_err(text)?;
        let stat = rustix::fs::fstat(&root).map_err(text)?;
        if self.only_on_mismatch && is_right(&stat, group, read_only) {
            return Ok(());
        }
        walk(root, &stat, group, read_only, DEPTH).map_err(text)
    }
}

fn is_folder(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode).is_dir()
}

/// Bits that are added: kubelet's masks 0660 and 0440, and 02110 for folders.
fn wanted(stat: &Stat, read_only: bool) -> u32 {
    let bits = if read_only { 0o440 } else { 0o660 };
    stat.st_mode & 0o7777 | if is_folder(stat) { bits | 0o2110 } else { bits }
}

fn is_right(stat: &Stat, group: u32, read_only: bool) -> bool {
    stat.st_gid == group && wanted(stat, read_only) == stat.st_mode & 0o7777
}

fn change(file: BorrowedFd<'_>, stat: &Stat, group: u32, read_only: bool) -> rustix::io::Result<()> {
    rustix::fs::fchown(file, None, Some(Gid::from_raw(group)))?;
    rustix::fs::fchmod(file, Mode::from_raw_mode(wanted(stat, read_only)))
}

/// By descriptors only: a container that swaps a folder for a link meanwhile gains nothing.
fn walk(folder: OwnedFd, stat: &Stat, group: u32, read_only: bool, depth: usize) -> rustix::io::Result<()> {
    if is_folder(stat) {
        if depth == 0 {
            return Err(rustix::io::Errno::LOOP);
        }
        for entry in Dir::read_from(&folder)? {
            let entry = entry?;
            let name = entry.file_name();
            if name.to_bytes() == b"." || name.to_bytes() == b".." {
                continue;
            }
            visit(&folder, name, group, read_only, depth)?;
        }
    }
    change(folder.as_fd(), stat, group, read_only)
}

fn visit(folder: &OwnedFd, name: &std::ffi::CStr, group: u32, read_only: bool, depth: usize) -> rustix::io::Result<()> {
    let stat = match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        other => other?,
    };
    let kind = FileType::from_raw_mode(stat.st_mode);
    if !kind.is_dir() && !kind.is_file() {
        return rustix::fs::chownat(folder, name, None, Some(Gid::from_raw(group)), AtFlags::SYMLINK_NOFOLLOW);
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = match rustix::fs::openat(folder, name, flags, Mode::empty()) {
        // Gone, or swapped for a link: not ours to touch.
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::LOOP) => return Ok(()),
        other => other?,
    };
    let stat = rustix::fs::fstat(&opened)?;
    walk(opened, &stat, group, read_only, depth - 1)
}
