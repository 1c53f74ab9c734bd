//! How much disk the files below a folder take. What is there is a container's own making: no link is followed, no other file system
//! entered, and what lies deeper than anybody nests is left out.

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};
use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

const DEPTH: u32 = 128;

/// Bytes on disk; a file with several names counts once. What goes away meanwhile is not counted.
pub fn bytes_below(folder: &Path) -> u64 {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let Ok(top) = rustix::fs::open(folder, flags, Mode::empty()) else { return 0 };
    let Ok(device) = rustix::fs::fstat(&top).map(|stat| stat.st_dev) else { return 0 };
    let mut walk = Walk { device, several: HashSet::new(), bytes: 0 };
    walk.folder(top, 0);
    walk.bytes
}

struct Walk {
    device: u64,
    several: HashSet<u64>,
    bytes: u64,
}

impl Walk {
    fn folder(&mut self, folder: OwnedFd, depth: u32) {
        let Ok(entries) = Dir::read_from(folder.as_fd()) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Ok(stat) = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            if stat.st_dev != self.device {
                continue;
            }
            let kind = FileType::from_raw_mode(stat.st_mode);
            if kind == FileType::Directory || stat.st_nlink < 2 || self.several.insert(stat.st_ino) {
                self.bytes = self.bytes.saturating_add(u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512));
            }
            if kind == FileType::Directory && depth < DEPTH {
                let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
                if let Ok(inner) = openat(&folder, name, flags, Mode::empty()) {
                    self.folder(inner, depth + 1);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_is_there_and_follows_nothing() {
        let home = crate::testing::home();
        let (folder, outside) = (home.join("folder"), home.join("outside"));
        [&folder, &outside].iter().for_each(|path| std::fs::create_dir_all(path).expect("made"));
        std::fs::write(outside.join("large"), vec![1; 1 << 20]).expect("written");
        let empty = bytes_below(&folder);
        std::os::unix::fs::symlink(&outside, folder.join("link")).expect("linked");
        std::fs::create_dir_all(folder.join("a/b")).expect("made");
        std::fs::write(folder.join("a/b/file"), vec![1; 256 << 10]).expect("written");
        std::fs::hard_link(folder.join("a/b/file"), folder.join("again")).expect("linked");
        let sparse = std::fs::File::create(folder.join("sparse")).expect("made");
        sparse.set_len(1 << 30).expect("set");
        let used = bytes_below(&folder) - empty;
        assert!((256 << 10..512 << 10).contains(&used), "{used}");
        assert_eq!(bytes_below(Path::new("/nowhere")), 0);
        std::fs::remove_dir_all(home).expect("removed");
    }
}
