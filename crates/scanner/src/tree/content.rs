//! A file's content, which may be part of a larger file.

use crate::elf::Bytes;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

/// An open file of a tree, read from its beginning or at any place.
#[derive(Debug)]
pub struct Content {
    file: File,
    begin: u64,
    size: u64,
    at: u64,
    failure: OnceLock<io::Error>,
}

impl Content {
    /// All of a file.
    pub(super) fn whole(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file, begin: 0, size, at: 0, failure: OnceLock::new() })
    }

    pub(super) fn part(file: File, begin: u64, size: u64) -> Self {
        Self { file, begin, size, at: 0, failure: OnceLock::new() }
    }

    /// Why [`Bytes::at`] gave none although they are there.
    pub(crate) fn failure(&self) -> Option<&io::Error> {
        self.failure.get()
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let want = usize::try_from(self.size.saturating_sub(self.at)).unwrap_or(usize::MAX).min(buffer.len());
        let got = self.file.read_at(buffer.get_mut(..want).unwrap_or_default(), self.begin.saturating_add(self.at))?;
        self.at = self.at.saturating_add(got as u64);
        Ok(got)
    }
}

impl Bytes for Content {
    fn at(&self, offset: u64, length: usize) -> Option<Vec<u8>> {
        // Asked for before anything is allocated: lengths come from the file itself.
        let left = self.size.checked_sub(offset)?;
        if u64::try_from(length).ok()? > left {
            return None;
        }
        let mut bytes = vec![0; length];
        match self.file.read_exact_at(&mut bytes, self.begin.checked_add(offset)?) {
            Ok(()) => Some(bytes),
            Err(error) => {
                let _ = self.failure.set(error);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_that_failed_is_no_end() {
        // A folder opens and cannot be read.
        let folder = Content::part(File::open("/").expect("opened"), 0, 100);
        assert!(folder.at(90, 20).is_none() && folder.failure().is_none());
        assert!(folder.at(0, 20).is_none() && folder.failure().is_some());
    }
}
