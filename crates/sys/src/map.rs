//! Files in memory, read only.

use std::fs::File;
use std::io;
use std::ops::Deref;

/// A whole file, brought in from the disk page by page as it is looked at.
#[derive(Debug)]
pub struct Mapped(memmap2::Mmap);

impl Mapped {
    /// Maps a file as long as it is now. It must be one that is replaced by renaming and never written again: what is changed in place shows
    /// through, and what is cut off ends the process when it is looked at.
    ///
    /// # Errors
    /// What the system says; a folder or a pipe cannot be mapped.
    pub fn open(file: &File) -> io::Result<Self> {
        // SAFETY: nothing but bytes is made of the content, every look checks its bounds, and the caller's files are not written in place.
        Ok(Self(unsafe { memmap2::Mmap::map(file) }?))
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_as_it_is() {
        let path = std::env::temp_dir().join(format!("wharf-mapped-{}", std::process::id()));
        std::fs::write(&path, b"content").expect("written");
        let mapped = Mapped::open(&File::open(&path).expect("opened")).expect("mapped");
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(&*mapped, b"content");
    }
}
