//! As much of ELF programs as leads to a named section (System V ABI, "Object Files"), read piecewise: programs are large.

/// More sections or segments than this are not looked at.
const MOST_HEADERS: u64 = 65_535;
/// The longest table of section names.
const MOST_NAMES: u64 = 16 << 20;

/// Bytes that are reached by offset.
pub trait Bytes {
    /// `length` bytes at an offset; `None` when there are fewer, or they cannot be read.
    fn at(&self, offset: u64, length: usize) -> Option<Vec<u8>>;
}

impl Bytes for [u8] {
    fn at(&self, offset: u64, length: usize) -> Option<Vec<u8>> {
        let begin = usize::try_from(offset).ok()?;
        self.get(begin..begin.checked_add(length)?).map(<[u8]>::to_vec)
    }
}

/// Part of a program: a section by its name, or a segment by where it is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it is loaded.
    pub address: u64,
    /// Where it is in the file.
    pub offset: u64,
    /// Its bytes in the file.
    pub size: u64,
}

/// A program.
pub struct Elf<'b, B: Bytes + ?Sized> {
    bytes: &'b B,
    wide: bool,
    big: bool,
    header: Vec<u8>,
}

impl<'b, B: Bytes + ?Sized> Elf<'b, B> {
    /// Looks at the first bytes; `None` when it is no ELF file.
    pub fn open(bytes: &'b B) -> Option<Self> {
        let ident = bytes.at(0, 16)?;
        let (magic, class, order) = (ident.get(..4)?, ident.get(4)?, ident.get(5)?);
        if magic != b"\x7fELF" || !matches!(class, 1 | 2) || !matches!(order, 1 | 2) {
            return None;
        }
        let wide = *class == 2;
        let header = bytes.at(0, if wide { 64 } else { 52 })?;
        Some(Self { bytes, wide, big: *order == 2, header })
    }

    /// Bytes of an address.
    pub fn pointer_size(&self) -> usize {
        if self.wide { 8 } else { 4 }
    }

    /// A number of 2, 4 or 8 bytes, in the program's order.
    fn number(&self, bytes: &[u8], at: usize, size: usize) -> Option<u64> {
        let part = bytes.get(at..at.checked_add(size)?)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.big { part.iter().fold(0, add) } else { part.iter().rev().fold(0, add) })
    }

    /// A field whose place and size differ between 32 and 64 bits.
    fn field(&self, bytes: &[u8], narrow: usize, wide: usize) -> Option<u64> {
        if self.wide { self.number(bytes, wide, 8) } else { self.number(bytes, narrow, 4) }
    }

    fn table(&self, offset: u64, entry: u64, count: u64) -> Option<Vec<u8>> {
        if count > MOST_HEADERS || entry > 256 {
            return None;
        }
        self.bytes.at(offset, usize::try_from(entry.checked_mul(count)?).ok()?)
    }

    /// The section headers; empty when there are none.
    fn sections(&self) -> Option<Vec<Vec<u8>>> {
        let offset = self.field(&self.header, 32, 40)?;
        let place = if self.wide { 58 } else { 46 };
        let entry = self.number(&self.header, place, 2)?;
        let mut count = self.number(&self.header, place + 2, 2)?;
        if offset == 0 || entry < if self.wide { 64 } else { 40 } {
            return Some(Vec::new());
        }
        if count == 0 {
            // Too many for the field: the first section's size says how many.
            let first = self.table(offset, entry, 1)?;
            count = self.field(&first, 20, 32)?;
        }
        let table = self.table(offset, entry, count)?;
        Some(table.chunks_exact(usize::try_from(entry).ok()?).map(<[u8]>::to_vec).collect())
    }

    fn section_part(&self, header: &[u8]) -> Option<Part> {
        Some(Part { address: self.field(header, 12, 16)?, offset: self.field(header, 16, 24)?, size: self.field(header, 20, 32)? })
    }

    /// The section of a name; `Err` when the tables are damaged.
    ///
    /// # Errors
    /// When they lead out of the file.
    pub fn section(&self, name: &str) -> Result<Option<Part>, Damaged> {
        self.find(name).ok_or(Damaged)
    }

    fn find(&self, name: &str) -> Option<Option<Part>> {
        let sections = self.sections()?;
        let names_at = self.number(&self.header, if self.wide { 62 } else { 50 }, 2)?;
        let names_at = match (names_at, sections.first()) {
            // Too large for the field: the first section's link says where.
            (0xffff, Some(first)) => self.number(first, if self.wide { 40 } else { 24 }, 4)?,
            _ => names_at,
        };
        let Some(names) = sections.get(usize::try_from(names_at).ok()?) else { return Some(None) };
        let names = self.section_part(names)?;
        if names.size > MOST_NAMES {
            return None;
        }
        let names = self.bytes.at(names.offset, usize::try_from(names.size).ok()?)?;
        for header in &sections {
            let at = usize::try_from(self.number(header, 0, 4)?).ok()?;
            let here = names.get(at..).and_then(|rest| rest.split(|b| *b == 0).next());
            if here == Some(name.as_bytes()) {
                return self.section_part(header).map(Some);
            }
        }
        Some(None)
    }

    /// Whether there are no sections, as in programs that were stripped of them.
    pub fn has_no_sections(&self) -> bool {
        self.sections().is_some_and(|sections| sections.is_empty())
    }

    /// What is loaded into memory: each part with whether it can be written and not executed.
    pub fn segments(&self) -> Option<Vec<(Part, bool)>> {
        let offset = self.field(&self.header, 28, 32)?;
        let place = if self.wide { 54 } else { 42 };
        let (entry, count) = (self.number(&self.header, place, 2)?, self.number(&self.header, place + 2, 2)?);
        if entry < if self.wide { 56 } else { 32 } {
            return Some(Vec::new());
        }
        let table = self.table(offset, entry, count)?;
        let mut parts = Vec::new();
        for header in table.chunks_exact(usize::try_from(entry).ok()?) {
            if self.number(header, 0, 4)? == 1 {
                let flags = self.number(header, if self.wide { 4 } else { 24 }, 4)?;
                let part =
                    Part { address: self.field(header, 8, 16)?, offset: self.field(header, 4, 8)?, size: self.field(header, 16, 32)? };
                parts.push((part, flags & 3 == 2));
            }
        }
        Some(parts)
    }

    /// Bytes by the address at which they are loaded.
    pub fn loaded(&self, address: u64, length: usize) -> Option<Vec<u8>> {
        let inside = |part: &Part| address.checked_sub(part.address).filter(|at| *at < part.size);
        let (part, at) = self.segments()?.into_iter().find_map(|(part, _)| Some((part, inside(&part)?)))?;
        self.bytes.at(part.offset.checked_add(at)?, length)
    }

    /// A pointer by the address at which it is loaded.
    pub fn pointer(&self, address: u64) -> Option<u64> {
        let bytes = self.loaded(address, self.pointer_size())?;
        self.number(&bytes, 0, bytes.len())
    }

    /// A part's first bytes, at most `most`.
    pub fn content(&self, part: Part, most: u64) -> Option<Vec<u8>> {
        self.bytes.at(part.offset, usize::try_from(part.size.min(most)).ok()?)
    }
}

/// The tables of a program lead out of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the program's tables are damaged")]
pub struct Damaged;

/// Whether a file may be a program or a library, by what its folder says of it.
pub(crate) fn may_be(entry: &crate::tree::Entry) -> bool {
    entry.size >= 64 && (entry.executable || entry.name().contains(".so"))
}
