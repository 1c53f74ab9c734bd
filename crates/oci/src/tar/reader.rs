//! The one reader of archives.

use super::BLOCK;
use super::entry::{Entry, EntryPath, Kind, Mtime};
use super::error::{Fault, TarError};
use super::header::{self, RawHeader};
use super::pax::{self, Records};
use std::io::Read;

/// How much is read before it is called too much.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Members.
    pub entries: u64,
    /// Bytes of the whole archive.
    pub bytes: u64,
    /// Bytes of one pax header or long name.
    pub extension: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 2_000_000, bytes: 1 << 40, extension: 1 << 20 }
    }
}

/// Zeros that may follow the end: writers pad to their record size.
const MAX_TRAILING: u64 = 4 << 20;

/// Reads members one after the other: [`Reader::next`], then [`Reader::read`] for a file's content, which may be left unread.
pub struct Reader<R> {
    input: R,
    limits: Limits,
    raw: Vec<u8>,
    offset: u64,
    entries: u64,
    content_left: u64,
    padding_left: usize,
    globals: Records,
    done: bool,
}

#[derive(Default)]
struct Extensions {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pax: Option<Records>,
}

impl<R: Read> Reader<R> {
    /// Reads from `input`.
    pub fn new(input: R, limits: Limits) -> Self {
        let globals = Records::default();
        Self { input, limits, raw: Vec::new(), offset: 0, entries: 0, content_left: 0, padding_left: 0, globals, done: false }
    }

    /// The next member; `None` at the end, which has then been read to the last byte.
    ///
    /// # Errors
    /// The first thing that is wrong with the archive. Nothing can be read after an error.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Entry>, TarError> {
        if self.done {
            return Ok(None);
        }
        // Set before anything can fail: an archive that is wrong is not read further.
        self.done = true;
        let entry = self.finish_content().and_then(|()| self.next_entry())?;
        self.done = entry.is_none();
        Ok(entry)
    }

    /// Content of the current file; 0 bytes at its end.
    ///
    /// # Errors
    /// When the source fails or ends too early.
    pub fn read(&mut self, buffer: &mut [u8]) -> Result<usize, TarError> {
        let want = usize::try_from(self.content_left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(part) = buffer.get_mut(..want).filter(|part| !part.is_empty()) else { return Ok(0) };
        let got = loop {
            match self.input.read(part) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        let got = got.map_err(|error| self.error(error.into()))?;
        if got == 0 {
            return Err(self.error(Fault::Truncated));
        }
        self.content_left -= got as u64;
        self.offset += got as u64;
        Ok(got)
    }

    /// All bytes read since the last call that are no file's content: headers, padding, the end. With the contents between, they
    /// make up the archive again.
    pub fn take_raw(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.raw)
    }

    /// Bytes read so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// An error at this place of the archive, for those who check members further.
    pub fn error_at(&self, path: &EntryPath, fault: Fault) -> TarError {
        TarError { offset: self.offset, path: path.to_string(), fault }
    }

    fn error(&self, fault: Fault) -> TarError {
        TarError { offset: self.offset, path: String::new(), fault }
    }

    fn finish_content(&mut self) -> Result<(), TarError> {
        let mut scratch = [0u8; 16 * 1024];
        while self.content_left > 0 {
            self.read(&mut scratch)?;
        }
        let mut padding = [0u8; BLOCK];
        let length = std::mem::take(&mut self.padding_left);
        if let Some(part) = padding.get_mut(..length) {
            let got = self.fill(part)?;
            if got < length {
                return Err(self.error(Fault::Truncated));
            }
        }
        Ok(())
    }

    /// Fills the buffer as far as the source goes, and keeps the bytes as raw ones.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, TarError> {
        let mut got = 0;
        while let Some(rest) = buffer.get_mut(got..).filter(|rest| !rest.is_empty()) {
            match self.input.read(rest) {
                Ok(0) => break,
                Ok(more) => got += more,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(error.into())),
            }
        }
        self.raw.extend_from_slice(buffer.get(..got).unwrap_or_default());
        self.offset += got as u64;
        if self.offset > self.limits.bytes {
            return Err(self.error(Fault::Limit { what: "bytes", limit: self.limits.bytes }));
        }
        Ok(got)
    }

    fn next_entry(&mut self) -> Result<Option<Entry>, TarError> {
        let mut extensions = Extensions::default();
        loop {
            self.count()?;
            let Some(raw) = self.header()? else {
                let clean = extensions.name.is_none() && extensions.link.is_none() && extensions.pax.is_none();
                return if clean { Ok(None) } else { Err(self.error(Fault::Dangling)) };
            };
            match raw.kind {
                b'L' => self.extend(&raw, |body| set(&mut extensions.name, without_nul(body)))?,
                b'K' => self.extend(&raw, |body| set(&mut extensions.link, without_nul(body)))?,
                b'x' => self.extend(&raw, |body| set(&mut extensions.pax, pax::parse(&body)?))?,
                b'g' => {
                    let body = self.extension(&raw)?;
                    self.globals = pax::parse(&body).and_then(only_global).map_err(|fault| self.error(fault))?;
                }
                _ => return self.entry(raw, extensions).map(Some),
            }
        }
    }

    fn count(&mut self) -> Result<(), TarError> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(self.error(Fault::Limit { what: "members", limit: self.limits.entries }));
        }
        Ok(())
    }

    fn header(&mut self) -> Result<Option<RawHeader>, TarError> {
        let mut block = [0u8; BLOCK];
        match self.fill(&mut block)? {
            0 => return Ok(None),
            BLOCK => {}
            _ => return Err(self.error(Fault::Truncated)),
        }
        if block.iter().all(|&b| b == 0) {
            self.trailing()?;
            return Ok(None);
        }
        header::parse(&block).map(Some).map_err(|fault| self.error(fault))
    }

    fn trailing(&mut self) -> Result<(), TarError> {
        let mut chunk = [0u8; 8 * 1024];
        let mut total = 0;
        loop {
            let got = self.fill(&mut chunk)?;
            total += got as u64;
            if chunk.iter().take(got).any(|&b| b != 0) || total > MAX_TRAILING {
                return Err(self.error(Fault::TrailingData));
            }
            if got < chunk.len() {
                return Ok(());
            }
        }
    }

    fn extend(&mut self, raw: &RawHeader, keep: impl FnOnce(Vec<u8>) -> Result<(), Fault>) -> Result<(), TarError> {
        let body = self.extension(raw)?;
        keep(body).map_err(|fault| self.error(fault))
    }

    fn extension(&mut self, raw: &RawHeader) -> Result<Vec<u8>, TarError> {
        let limit = self.limits.extension;
        let length = usize::try_from(raw.size).ok().filter(|_| raw.size <= limit);
        let length = length.ok_or_else(|| self.error(Fault::Limit { what: "bytes of a pax header or long name", limit }))?;
        let mut body = vec![0u8; length.next_multiple_of(BLOCK)];
        if self.fill(&mut body)? < body.len() {
            return Err(self.error(Fault::Truncated));
        }
        body.truncate(length);
        Ok(body)
    }

    fn entry(&mut self, raw: RawHeader, extensions: Extensions) -> Result<Entry, TarError> {
        let name = extensions.pax.as_ref().and_then(|pax| pax.path.as_deref()).or(extensions.name.as_deref()).unwrap_or(&raw.name);
        let shown = String::from_utf8_lossy(name).chars().take(300).collect::<String>().escape_debug().to_string();
        let entry = assemble(raw, extensions, &self.globals).map_err(|fault| TarError { offset: self.offset, path: shown, fault })?;
        if let Kind::File { size } = entry.kind {
            if size > self.limits.bytes.saturating_sub(self.offset) {
                return Err(self.error_at(&entry.path, Fault::Limit { what: "bytes", limit: self.limits.bytes }));
            }
            self.content_left = size;
            self.padding_left = (BLOCK - (size % BLOCK as u64) as usize) % BLOCK;
        }
        Ok(entry)
    }
}

fn set<T>(slot: &mut Option<T>, value: T) -> Result<(), Fault> {
    if slot.replace(value).is_some() { Err(Fault::Dangling) } else { Ok(()) }
}

fn without_nul(mut body: Vec<u8>) -> Vec<u8> {
    if body.last() == Some(&0) {
        body.pop();
    }
    body
}

/// What makes a member what it is cannot be said for all members at once.
fn only_global(records: Records) -> Result<Records, Fault> {
    let own = records.path.is_some() || records.link.is_some() || records.size.is_some() || !records.xattrs.is_empty();
    if own { Err(Fault::Pax("a global header names a path, size or attribute")) } else { Ok(records) }
}

fn assemble(raw: RawHeader, extensions: Extensions, globals: &Records) -> Result<Entry, Fault> {
    let pax = extensions.pax.unwrap_or_default();
    if pax.path.is_some() && extensions.name.is_some() || pax.link.is_some() && extensions.link.is_some() {
        return Err(Fault::Dangling);
    }
    let name = pax.path.or(extensions.name).unwrap_or(raw.name);
    let link = pax.link.or(extensions.link).unwrap_or(raw.link);
    let size = pax.size.unwrap_or(raw.size);
    let path = EntryPath::parse(&name)?;
    let kind = match raw.kind {
        b'0' | 0 | b'7' if name.last() == Some(&b'/') => Kind::Folder,
        b'0' | 0 | b'7' => Kind::File { size },
        b'1' => Kind::Hardlink { target: EntryPath::parse(&link)? },
        b'2' => symlink(link)?,
        b'3' => Kind::Char { major: raw.major, minor: raw.minor },
        b'4' => Kind::Block { major: raw.major, minor: raw.minor },
        b'5' => Kind::Folder,
        b'6' => Kind::Fifo,
        b'S' => return Err(Fault::Sparse),
        other => return Err(Fault::Type(other)),
    };
    if path.is_root() && kind != Kind::Folder {
        return Err(Fault::RootIsNoFolder);
    }
    if size > 0 && !matches!(kind, Kind::File { .. }) {
        return Err(Fault::Content);
    }
    Ok(Entry {
        path,
        kind,
        mode: raw.mode,
        uid: pax.uid.or(globals.uid).unwrap_or(raw.uid),
        gid: pax.gid.or(globals.gid).unwrap_or(raw.gid),
        mtime: pax.mtime.or(globals.mtime).unwrap_or(Mtime { seconds: raw.mtime, nanos: 0 }),
        xattrs: pax.xattrs,
    })
}

fn symlink(target: Vec<u8>) -> Result<Kind, Fault> {
    if target.is_empty() {
        return Err(Fault::EmptyName);
    }
    if target.contains(&0) {
        return Err(Fault::NulInName);
    }
    if target.len() > 4095 {
        return Err(Fault::LongName);
    }
    Ok(Kind::Symlink { target })
}
