//! Header blocks: names and values behind one zlib stream for each direction, with a dictionary that both sides know.
//!
//! Source: SPDY draft 3.1, section 2.6.10.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Bytes of a header block once it is unpacked.
const MAX_BYTES: usize = 64 << 10;

/// The dictionary's words, each behind its length.
const WORDS: &str = "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow \
authorization cache-control connection content-base content-encoding content-language content-length content-location content-md5 \
content-range content-type date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since \
last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer \
transfer-encoding upgrade user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie \
keep-alive origin";
/// And its end, without lengths.
const TAIL: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative \
Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not \
Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,\
text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,\
deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

fn dictionary() -> &'static [u8] {
    static DICTIONARY: OnceLock<Vec<u8>> = OnceLock::new();
    DICTIONARY.get_or_init(|| {
        let mut bytes = Vec::new();
        for word in WORDS.split(' ') {
            bytes.extend_from_slice(&u32::try_from(word.len()).unwrap_or(0).to_be_bytes());
            bytes.extend_from_slice(word.replace('_', " ").as_bytes());
        }
        bytes.extend_from_slice(TAIL.as_bytes());
        bytes
    })
}

/// Unpacks what the client sends.
pub(super) struct Decompressor {
    zlib: Decompress,
    begun: bool,
}

impl Decompressor {
    pub(super) fn new() -> Self {
        Self { zlib: Decompress::new(true), begun: false }
    }

    /// The headers of a block, names in lower case; nothing for what is none.
    pub(super) fn read(&mut self, block: &[u8]) -> Option<BTreeMap<String, String>> {
        let bytes = self.unpack(block)?;
        let mut rest = bytes.as_slice();
        let count = number(&mut rest)?;
        let mut headers = BTreeMap::new();
        for _ in 0..count {
            let (name, value) = (text(&mut rest)?, text(&mut rest)?);
            headers.insert(name.to_ascii_lowercase(), value);
        }
        Some(headers)
    }

    fn unpack(&mut self, block: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity(4 << 10);
        let (mut rest, mut idle) = (block, 0);
        while idle < 2 {
            if out.len() >= MAX_BYTES {
                return None;
            }
            out.reserve(4 << 10);
            let (before, written) = (self.zlib.total_in(), out.len());
            if let Err(error) = self.zlib.decompress_vec(rest, &mut out, FlushDecompress::Sync) {
                // zlib names the dictionary it wants once, at the very beginning.
                error.needs_dictionary().filter(|_| !self.begun)?;
                self.zlib.set_dictionary(dictionary()).ok()?;
                self.begun = true;
            }
            let used = usize::try_from(self.zlib.total_in() - before).ok()?;
            rest = rest.get(used..)?;
            idle = if used == 0 && out.len() == written { idle + 1 } else { 0 };
        }
        rest.is_empty().then_some(out)
    }
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (head, tail) = rest.split_at_checked(4)?;
    *rest = tail;
    Some(u32::from_be_bytes(head.try_into().ok()?))
}

fn text(rest: &mut &[u8]) -> Option<String> {
    let length = usize::try_from(number(rest)?).ok()?;
    let (head, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    String::from_utf8(head.to_vec()).ok()
}

/// Packs what we send.
pub(super) struct Compressor {
    zlib: Compress,
}

impl Compressor {
    pub(super) fn new() -> Self {
        let mut zlib = Compress::new(Compression::fast(), true);
        // Fails only after data was compressed; without it the client would name a dictionary of its own.
        let _ = zlib.set_dictionary(dictionary());
        Self { zlib }
    }

    /// A block of these headers.
    pub(super) fn write(&mut self, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut plain = u32::try_from(headers.len()).unwrap_or(0).to_be_bytes().to_vec();
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            plain.extend_from_slice(&u32::try_from(text.len()).unwrap_or(0).to_be_bytes());
            plain.extend_from_slice(text.as_bytes());
        }
        let mut out = Vec::with_capacity(plain.len() + 64);
        let mut rest = plain.as_slice();
        loop {
            let (before, written) = (self.zlib.total_in(), out.len());
            out.reserve(64);
            let done = self.zlib.compress_vec(rest, &mut out, FlushCompress::Sync);
            rest = rest.get(usize::try_from(self.zlib.total_in() - before).unwrap_or(rest.len())..).unwrap_or_default();
            // A flush is complete when it leaves room behind.
            if done.is_err() || rest.is_empty() && (out.len() < out.capacity() || out.len() == written) {
                return out;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dictionary_is_the_published_one() {
        let (mut a, mut b) = (1u32, 0u32);
        for byte in dictionary() {
            a = (a + u32::from(*byte)) % 65_521;
            b = (b + a) % 65_521;
        }
        assert_eq!((dictionary().len(), b << 16 | a), (1_423, 0xe3c6_a7c2));
    }

    #[test]
    fn blocks_are_read_one_after_the_other() {
        let (mut packing, mut unpacking) = (Compressor::new(), Decompressor::new());
        for round in 0..50 {
            let port = format!("{}", 8_000 + round);
            let block = packing.write(&[("streamType", "data"), ("port", &port), ("requestID", "0")]);
            let headers = unpacking.read(&block).expect("headers");
            assert_eq!(headers["port"], port);
            assert_eq!(headers["streamtype"], "data");
        }
        let long = "x".repeat(20_000);
        assert_eq!(unpacking.read(&packing.write(&[("a", &long)])).expect("headers")["a"], long);
        assert!(unpacking.read(b"nonsense").is_none());
    }

    #[test]
    fn a_block_that_grows_without_end_is_refused() {
        let huge = "0".repeat(1 << 20);
        let block = Compressor::new().write(&[("a", &huge)]);
        assert!(block.len() < 20_000, "it packs well: {}", block.len());
        assert!(Decompressor::new().read(&block).is_none());
    }
}
