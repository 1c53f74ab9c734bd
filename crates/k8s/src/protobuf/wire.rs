//! The wire format: tags, varints, lengths. Source: protobuf encoding guide.

use super::CodecError;

/// A value as it stands on the wire.
#[derive(Clone, Copy, Debug)]
pub enum Wire<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32,
}

impl<'a> Wire<'a> {
    /// The content of a length-delimited field.
    pub fn bytes(self) -> Result<&'a [u8], CodecError> {
        if let Self::Bytes(bytes) = self { Ok(bytes) } else { Err(CodecError::Wire("wrong wire type, expected bytes")) }
    }

    /// The content of a text.
    pub fn text(self) -> Result<&'a str, CodecError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| CodecError::Wire("text is not UTF-8"))
    }

    /// The content of a number.
    pub fn varint(self) -> Result<u64, CodecError> {
        if let Self::Varint(number) = self { Ok(number) } else { Err(CodecError::Wire("wrong wire type, expected varint")) }
    }
}

/// Reads the fields of one message.
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Of a message's bytes.
    pub fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    /// The next field and its tag.
    pub fn next(&mut self) -> Result<Option<(u32, Wire<'a>)>, CodecError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let tag = u32::try_from(key >> 3).ok().filter(|&tag| tag > 0).ok_or(CodecError::Wire("illegal tag"))?;
        let wire = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => {
                let bytes: [u8; 8] = self.take(8)?.try_into().map_err(|_| CodecError::Wire("unexpected EOF"))?;
                Wire::Fixed64(u64::from_le_bytes(bytes))
            }
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| CodecError::Wire("negative length found during unmarshaling"))?;
                Wire::Bytes(self.take(length)?)
            }
            5 => {
                self.take(4)?;
                Wire::Fixed32
            }
            _ => return Err(CodecError::Wire("illegal wire type")),
        };
        Ok(Some((tag, wire)))
    }

    /// A varint that stands alone, as in packed lists.
    pub fn varint(&mut self) -> Result<u64, CodecError> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or(CodecError::Wire("unexpected EOF"))?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(CodecError::Wire("integer overflow"))
    }

    /// Whether all was read.
    pub fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(CodecError::Wire("unexpected EOF"))?;
        self.rest = rest;
        Ok(taken)
    }
}

/// Writes the fields of one message.
#[derive(Default)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// Begins after a prefix, with room for as many bytes and a small envelope.
    pub fn after(prefix: &[u8], room: usize) -> Self {
        let mut out = Vec::with_capacity(prefix.len() + room + 128);
        out.extend_from_slice(prefix);
        Self { out }
    }

    /// A length-delimited field.
    pub fn bytes(&mut self, tag: u32, content: &[u8]) {
        self.raw(u64::from(tag) << 3 | 2);
        self.raw(content.len() as u64);
        self.out.extend_from_slice(content);
    }

    /// A number.
    pub fn varint(&mut self, tag: u32, number: u64) {
        self.raw(u64::from(tag) << 3);
        self.raw(number);
    }

    /// A double.
    pub fn double(&mut self, tag: u32, number: f64) {
        self.raw(u64::from(tag) << 3 | 1);
        self.out.extend_from_slice(&number.to_le_bytes());
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.out
    }

    fn raw(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.out.push(number as u8 & 0x7f | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }
}
