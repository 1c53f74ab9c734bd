//! Compression: told by the first bytes when reading; in fixed blocks when writing, so that no core count changes a byte.

use crate::error::BlobError;
use crate::zstd::ZstdReader;
use flate2::bufread::MultiGzDecoder;
use flate2::{Compress, Crc, FlushCompress};
use std::io::{self, BufRead, BufReader, Read, Write};

/// How a layer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// As it is.
    #[default]
    None,
    /// One gzip member of independent blocks.
    Gzip,
}

/// A stream with its compression taken off.
pub enum Decoder<R: Read> {
    /// There was none.
    Plain(BufReader<R>),
    /// Gzip, of any number of members.
    Gzip(Box<MultiGzDecoder<BufReader<R>>>),
    /// Zstandard, of any number of frames.
    Zstd(Box<ZstdReader<BufReader<R>>>),
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(inner) => inner.read(buffer),
            Self::Gzip(inner) => inner.read(buffer),
            Self::Zstd(inner) => inner.read(buffer),
        }
    }
}

/// Takes off what compression the first bytes show.
///
/// # Errors
/// When it cannot be read, or is compressed in a way that is not supported, by name.
pub fn decode<R: Read>(input: R, what: &str) -> Result<Decoder<R>, BlobError> {
    let mut input = BufReader::with_capacity(128 * 1024, input);
    let head = loop {
        match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => break other,
        }
    };
    let head = head.map_err(|error| base::files::FileError::new("read", what, error))?;
    const KNOWN: [(&[u8], &str); 3] = [(b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"\x04\x22\x4d\x18", "lz4")];
    if let Some((_, name)) = KNOWN.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(BlobError::Unsupported(format!("{what} is compressed with {name}, which is not supported; gzip and zstd are")));
    }
    // A frame, or one to be skipped: some writers begin with one.
    let skippable = head.starts_with(b"\x50\x2a\x4d\x18");
    if head.starts_with(b"\x28\xb5\x2f\xfd") || skippable {
        return Ok(Decoder::Zstd(Box::new(ZstdReader::new(input))));
    }
    if head.starts_with(b"\x1f\x8b") { Ok(Decoder::Gzip(Box::new(MultiGzDecoder::new(input)))) } else { Ok(Decoder::Plain(input)) }
}

const BLOCK: usize = 1 << 20;

/// Writes gzip in independent blocks of 1 MiB; a batch of blocks is compressed at once on several threads.
pub struct GzipWriter<W: Write> {
    out: W,
    pending: Vec<u8>,
    batch: usize,
    crc: Crc,
    started: bool,
}

impl<W: Write> GzipWriter<W> {
    /// Compresses on up to `threads` threads.
    pub fn new(out: W, threads: usize) -> Self {
        let batch = BLOCK * threads.clamp(1, 64);
        Self { out, pending: Vec::with_capacity(batch), batch, crc: Crc::new(), started: false }
    }

    /// Writes what is left and the end.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> io::Result<W> {
        self.drain()?;
        // The end is a block of its own, always: where the last full block stands must not depend on the batches.
        self.out.write_all(&[3, 0])?;
        self.out.write_all(&self.crc.sum().to_le_bytes())?;
        self.out.write_all(&self.crc.amount().to_le_bytes())?;
        Ok(self.out)
    }

    fn drain(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.started, true) {
            // No name, no time, "unknown" system: nothing that differs from run to run.
            self.out.write_all(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])?;
        }
        self.crc.update(&self.pending);
        let blocks: Vec<&[u8]> = self.pending.chunks(BLOCK).collect();
        let packed: Vec<io::Result<Vec<u8>>> = std::thread::scope(|scope| {
            let mut running = Vec::with_capacity(blocks.len());
            for &block in &blocks {
                running.push(scope.spawn(move || deflate(block)));
            }
            running
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| Err(io::Error::other("a compressing thread ended early"))))
                .collect()
        });
        for part in packed {
            self.out.write_all(&part?)?;
        }
        self.pending.clear();
        Ok(())
    }
}

impl<W: Write> Write for GzipWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let take = (self.batch - self.pending.len()).min(bytes.len());
        self.pending.extend_from_slice(bytes.get(..take).unwrap_or_default());
        if self.pending.len() == self.batch {
            self.drain()?;
        }
        Ok(take)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One block that needs nothing of those before it, and ends at a byte.
fn deflate(block: &[u8]) -> io::Result<Vec<u8>> {
    // What is packed already costs several times as much time as text, and gives nothing.
    let level = if is_dense(block)? { 0 } else { 6 };
    let mut compress = Compress::new(flate2::Compression::new(level), false);
    let mut out = Vec::with_capacity(block.len() / 2 + 1024);
    loop {
        let done = compress.total_in() as usize;
        compress.compress_vec(block.get(done..).unwrap_or_default(), &mut out, FlushCompress::Full).map_err(io::Error::other)?;
        // Room left over means that the flush is complete.
        if compress.total_in() as usize == block.len() && out.len() < out.capacity() {
            return Ok(out);
        }
        out.reserve(64 * 1024);
    }
}

/// Whether samples of a block do not get smaller: it depends on the block alone, so that equal content has equal bytes.
fn is_dense(block: &[u8]) -> io::Result<bool> {
    const SAMPLES: usize = 8;
    const SAMPLE: usize = 8 << 10;
    if block.len() < 2 * SAMPLES * SAMPLE {
        return Ok(false);
    }
    let mut compress = Compress::new(flate2::Compression::fast(), false);
    let mut out = Vec::with_capacity(2 * SAMPLE);
    let mut packed = 0;
    for sample in block.chunks(block.len() / SAMPLES).take(SAMPLES) {
        compress.reset();
        out.clear();
        let sample = sample.get(..SAMPLE).unwrap_or(sample);
        compress.compress_vec(sample, &mut out, FlushCompress::Finish).map_err(io::Error::other)?;
        packed += out.len();
    }
    Ok(packed >= SAMPLES * SAMPLE / 100 * 98)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(bytes: &[u8], threads: usize) -> Vec<u8> {
        let mut writer = GzipWriter::new(Vec::new(), threads);
        writer.write_all(bytes).expect("written");
        writer.finish().expect("finished")
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bytes() {
        let mut state = 7u32;
        let noise = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8 & 0x3f
        };
        let bytes: Vec<u8> = (0..(BLOCK * 2 + 12_345)).map(noise).collect();
        for part in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, bytes.len()] {
            let part = &bytes[..part];
            let one = gzip(part, 1);
            assert!(one == gzip(part, 3), "{}", part.len());
            let mut back = Vec::new();
            decode(one.as_slice(), "test").expect("gzip").read_to_end(&mut back).expect("read");
            assert!(back == part, "{}", part.len());
        }
    }

    #[test]
    fn what_is_dense_already_is_stored_and_stays_what_it_was() {
        let mut state = 7u64;
        let dense: Vec<u8> = (0..BLOCK + 100_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 56) as u8
            })
            .collect();
        assert!(is_dense(&dense[..BLOCK]).expect("sampled") && !is_dense(&vec![b'a'; BLOCK]).expect("sampled"));
        let packed = gzip(&dense, 2);
        assert!(packed.len() < dense.len() + dense.len() / 1000 + 100, "{}", packed.len());
        let mut back = Vec::new();
        decode(packed.as_slice(), "test").expect("gzip").read_to_end(&mut back).expect("read");
        assert!(back == dense);
    }

    #[test]
    fn names_what_it_cannot_read() {
        let error = decode(b"BZh9xx".as_slice(), "the layer").err().expect("bzip2");
        assert!(error.to_string().contains("the layer is compressed with bzip2"), "{error}");
    }

    /// `abc` as the tool `zstd` packs it, without a checksum.
    const FRAME: &[u8] = b"\x28\xb5\x2f\xfd\x00\x58\x19\x00\x00abc";

    #[test]
    fn reads_zstd_frame_after_frame() {
        let skipped = b"\x50\x2a\x4d\x18\x02\x00\x00\x00xx".as_slice();
        for (stream, expected) in [
            (FRAME.to_vec(), "abc"),
            ([FRAME, FRAME].concat(), "abcabc"),
            ([FRAME, skipped, FRAME, skipped].concat(), "abcabc"),
            ([skipped, FRAME].concat(), "abc"),
        ] {
            let mut read = String::new();
            decode(stream.as_slice(), "test").expect("zstd").read_to_string(&mut read).expect("read");
            assert_eq!(read, expected);
        }
        for cut in 4..FRAME.len() {
            assert!(decode(&FRAME[..cut], "test").expect("zstd").read_to_end(&mut Vec::new()).is_err(), "{cut}");
        }
        assert!(decode([FRAME, b"x".as_slice()].concat().as_slice(), "test").expect("zstd").read_to_end(&mut Vec::new()).is_err());
    }
}
