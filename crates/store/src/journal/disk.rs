//! The few file operations that the journal stands on, by trait, so that a test can fail and tear each.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::PathBuf;

/// One folder of files.
pub trait Disk: Send + Sync {
    /// Names of all files.
    ///
    /// # Errors
    /// What the system says; so do all the others.
    fn list(&self) -> io::Result<Vec<String>>;
    /// A whole file.
    ///
    /// # Errors
    /// As [`Disk::list`].
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// A new file filled with so many zeros, which are durable; its name is after [`Disk::sync_folder`].
    ///
    /// # Errors
    /// As [`Disk::list`].
    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn DiskFile>>;
    /// An existing file, for writing.
    ///
    /// # Errors
    /// As [`Disk::list`].
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Renames, replacing what is there.
    ///
    /// # Errors
    /// As [`Disk::list`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// As [`Disk::list`].
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes names durable.
    ///
    /// # Errors
    /// As [`Disk::list`].
    fn sync_folder(&self) -> io::Result<()>;
}

/// A file that is written.
pub trait DiskFile: Send {
    /// Writes at an offset.
    ///
    /// # Errors
    /// What the system says.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes all that was written durable (`fdatasync`).
    ///
    /// # Errors
    /// What the system says.
    fn sync(&mut self) -> io::Result<()>;
}

/// A folder of the machine.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Opens a folder, made with mode 0700 when it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Disk for Folder {
    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.0)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(name))
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Box<dyn DiskFile>> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        let path = self.0.join(name);
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        // Zeros are written, not promised by fallocate: an extent that was never written costs every fdatasync a
        // change of the file system's own journal.
        let mut at = 0;
        let filled = loop {
            let part = usize::try_from(bytes - at).unwrap_or(usize::MAX).min(ZEROS.len());
            if part == 0 {
                break file.sync_all();
            }
            if let Err(error) = file.write_all_at(&ZEROS[..part], at) {
                break Err(error);
            }
            at += part as u64;
        };
        if let Err(error) = filled {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(Box::new(file))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().write(true).open(self.0.join(name))?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.0.join(from), self.0.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.0.join(name))
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}

impl DiskFile for File {
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}
