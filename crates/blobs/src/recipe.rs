//! What an archive is made of, but for the contents of its files: compressed raw bytes, and which file comes between them.

use crate::error::{BlobError, io_at};
use base::files::FileError;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"WHARFR1\n";
const RAW: u8 = b'R';
const FILE: u8 = b'F';
const DONE: u8 = b'E';
/// No raw part is longer: it is split when written.
const MAX_RAW: usize = 1 << 20;

/// One step of making an archive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// These bytes.
    Raw(Vec<u8>),
    /// The content of the tree's file of this path.
    File { path: Vec<u8>, size: u64, crc: u32 },
}

pub(crate) struct RecipeWriter {
    out: GzEncoder<BufWriter<File>>,
    path: PathBuf,
}

impl RecipeWriter {
    pub(crate) fn create(path: &Path) -> Result<Self, FileError> {
        let file = File::create(path).map_err(io_at("create", path))?;
        let mut out = GzEncoder::new(BufWriter::new(file), flate2::Compression::fast());
        out.write_all(MAGIC).map_err(io_at("write", path))?;
        Ok(Self { out, path: path.to_owned() })
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        bytes.chunks(MAX_RAW).try_for_each(|part| self.write(&[&[RAW], &(part.len() as u32).to_le_bytes(), part]))
    }

    pub(crate) fn file(&mut self, path: &[u8], size: u64, crc: u32) -> Result<(), FileError> {
        self.write(&[&[FILE], &(path.len() as u32).to_le_bytes(), path, &size.to_le_bytes(), &crc.to_le_bytes()])
    }

    pub(crate) fn finish(mut self) -> Result<(), FileError> {
        self.write(&[&[DONE]])?;
        let mut file = self.out.finish().map_err(io_at("write", &self.path))?;
        file.flush().map_err(io_at("write", &self.path))
    }

    fn write(&mut self, parts: &[&[u8]]) -> Result<(), FileError> {
        parts.iter().try_for_each(|part| self.out.write_all(part)).map_err(io_at("write", &self.path))
    }
}

pub(crate) struct RecipeReader {
    input: BufReader<GzDecoder<BufReader<File>>>,
    path: PathBuf,
}

impl RecipeReader {
    pub(crate) fn open(path: &Path) -> Result<Self, BlobError> {
        let file = File::open(path).map_err(io_at("open", path))?;
        let mut reader = Self { input: BufReader::new(GzDecoder::new(BufReader::new(file))), path: path.to_owned() };
        if &reader.array::<8>()? != MAGIC {
            return Err(reader.damaged("it does not begin as a recipe does"));
        }
        Ok(reader)
    }

    pub(crate) fn next(&mut self) -> Result<Option<Step>, BlobError> {
        match self.array::<1>()? {
            [RAW] => self.bytes(MAX_RAW).map(|bytes| Some(Step::Raw(bytes))),
            [FILE] => {
                let path = self.bytes(4096)?;
                let size = u64::from_le_bytes(self.array()?);
                let crc = u32::from_le_bytes(self.array()?);
                Ok(Some(Step::File { path, size, crc }))
            }
            [DONE] => Ok(None),
            _ => Err(self.damaged("a step of no known kind")),
        }
    }

    fn bytes(&mut self, limit: usize) -> Result<Vec<u8>, BlobError> {
        let length = u32::from_le_bytes(self.array()?) as usize;
        if length > limit {
            return Err(self.damaged("a step is too long"));
        }
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], BlobError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BlobError> {
        self.input.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => self.damaged(&error.to_string()),
            _ => FileError::new("read", &self.path, error).into(),
        })
    }

    fn damaged(&self, why: &str) -> BlobError {
        BlobError::damaged(self.path.display().to_string(), why)
    }
}
