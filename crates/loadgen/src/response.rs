//! Answers of HTTP/1.1, read as far as counting needs it (RFC 9112). Pure; input is hostile.

use memchr::memmem;

/// The longest head that is read.
const HEAD_LIMIT: usize = 64 * 1024;
/// The longest line of a chunk.
const CHUNK_LINE_LIMIT: usize = 4096;
/// Bytes of a failed answer that are kept as an example.
const EXAMPLE: usize = 160;

/// Why an answer is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub &'static str);

/// What is left of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Length(u64),
    ChunkLine,
    Chunk(u64),
    Trailer,
    UntilClose,
    Done,
}

/// An answer on its way.
#[derive(Debug)]
pub(crate) struct Response {
    /// 0 until the head is whole.
    pub status: u16,
    /// Whether the connection may be used again.
    pub reusable: bool,
    /// Beginning of the body of a failed answer.
    pub example: Vec<u8>,
    body: Body,
    bodiless: bool,
}

impl Response {
    /// Before the first byte; `bodiless` for an answer to HEAD.
    pub fn new(bodiless: bool) -> Self {
        Self { status: 0, reusable: true, example: Vec::new(), body: Body::Done, bodiless }
    }

    /// Reads on; returns how many bytes were used, and whether the answer is whole.
    ///
    /// # Errors
    /// When it is no answer.
    pub fn feed(&mut self, input: &[u8]) -> Result<(usize, bool), Malformed> {
        let mut used = 0;
        while self.status == 0 {
            let rest = input.get(used..).unwrap_or_default();
            let Some(end) = memmem::find(rest.get(..HEAD_LIMIT.min(rest.len())).unwrap_or_default(), b"\r\n\r\n") else {
                return if rest.len() >= HEAD_LIMIT { Err(Malformed("the head is too long")) } else { Ok((used, false)) };
            };
            self.head(rest.get(..end).unwrap_or_default())?;
            used += end + 4;
        }
        used += self.skip(input.get(used..).unwrap_or_default())?;
        Ok((used, self.body == Body::Done))
    }

    /// The connection has ended; whether the answer is whole with that.
    pub fn close(&mut self) -> bool {
        self.reusable = false;
        self.status != 0 && matches!(self.body, Body::UntilClose | Body::Done)
    }

    fn head(&mut self, head: &[u8]) -> Result<(), Malformed> {
        let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let first = lines.next().unwrap_or_default();
        let (status, old) = status_line(first).ok_or(Malformed("it does not begin as an HTTP/1 answer"))?;
        let (mut length, mut chunked, mut close) = (None, false, old);
        for line in lines {
            let Some(colon) = memchr::memchr(b':', line) else { return Err(Malformed("a header without a colon")) };
            let (name, value) = (line.get(..colon).unwrap_or_default(), line.get(colon + 1..).unwrap_or_default().trim_ascii());
            if name.eq_ignore_ascii_case(b"content-length") {
                let told = number(value, 10).ok_or(Malformed("a length that is no number"))?;
                if length.is_some_and(|other| other != told) {
                    return Err(Malformed("two lengths"));
                }
                length = Some(told);
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                chunked = value.to_ascii_lowercase().ends_with(b"chunked");
            } else if name.eq_ignore_ascii_case(b"connection") {
                let value = value.to_ascii_lowercase();
                close = if old { memmem::find(&value, b"keep-alive").is_none() } else { memmem::find(&value, b"close").is_some() };
            }
        }
        if (100..200).contains(&status) && status != 101 {
            return Ok(());
        }
        self.status = status;
        self.reusable = !close && status != 101;
        self.body = match (self.bodiless || matches!(status, 204 | 304), chunked, length) {
            (true, ..) | (_, false, Some(0)) => Body::Done,
            (_, true, _) => Body::ChunkLine,
            (_, _, Some(length)) => Body::Length(length),
            _ => Body::UntilClose,
        };
        self.reusable &= self.body != Body::UntilClose;
        Ok(())
    }

    fn skip(&mut self, input: &[u8]) -> Result<usize, Malformed> {
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            match self.body {
                Body::Done => return Ok(used),
                Body::UntilClose => {
                    self.keep(rest);
                    return Ok(input.len());
                }
                Body::Length(left) | Body::Chunk(left) => {
                    let here = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    self.keep(rest.get(..here).unwrap_or_default());
                    used += here;
                    let left = left - here as u64;
                    let chunk = matches!(self.body, Body::Chunk(_));
                    if left > 0 {
                        self.body = if chunk { Body::Chunk(left) } else { Body::Length(left) };
                        return Ok(used);
                    }
                    // After the bytes of a chunk comes an empty line, read as the beginning of the next line.
                    self.body = if chunk { Body::ChunkLine } else { Body::Done };
                }
                Body::ChunkLine | Body::Trailer => {
                    let Some(end) = memchr::memchr(b'\n', rest) else {
                        return if rest.len() > CHUNK_LINE_LIMIT { Err(Malformed("the line of a chunk is too long")) } else { Ok(used) };
                    };
                    used += end + 1;
                    let line = rest.get(..end).unwrap_or_default().trim_ascii();
                    self.body = self.after_line(line)?;
                }
            }
        }
    }

    fn after_line(&self, line: &[u8]) -> Result<Body, Malformed> {
        match (self.body, line) {
            (Body::Trailer, b"") => Ok(Body::Done),
            (Body::Trailer, _) => Ok(Body::Trailer),
            (_, b"") => Ok(Body::ChunkLine),
            (_, line) => {
                let size = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
                match number(size, 16).ok_or(Malformed("the size of a chunk is no number"))? {
                    0 => Ok(Body::Trailer),
                    size => Ok(Body::Chunk(size)),
                }
            }
        }
    }

    fn keep(&mut self, part: &[u8]) {
        if self.status >= 400 && self.example.len() < EXAMPLE {
            self.example.extend(part.iter().take(EXAMPLE - self.example.len()));
        }
    }
}

/// The status, and whether the answer is of HTTP/1.0.
fn status_line(line: &[u8]) -> Option<(u16, bool)> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let old = match rest.first()? {
        b'0' => true,
        b'1' => false,
        _ => return None,
    };
    let code = rest.get(1..)?.strip_prefix(b" ")?.get(..3)?;
    let status = u16::try_from(number(code, 10)?).ok().filter(|status| (100..1000).contains(status))?;
    Some((status, old))
}

fn number(text: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u64::from_str_radix(text, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CHUNKED: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: v\r\n\r\nNEXT";

    /// Feeds in pieces as a connection would: what is not used comes again.
    fn read(input: &[u8], pieces: &[usize], bodiless: bool) -> Result<(Response, usize, bool), Malformed> {
        let mut response = Response::new(bodiless);
        let (mut buffer, mut total, mut rest) = (Vec::new(), 0, input);
        let mut pieces = pieces.iter().copied().chain(std::iter::repeat(usize::MAX));
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(pieces.next().unwrap_or(1).clamp(1, rest.len()));
            buffer.extend_from_slice(piece);
            rest = after;
            let (used, done) = response.feed(&buffer)?;
            buffer.drain(..used);
            total += used;
            if done {
                return Ok((response, total, true));
            }
        }
        Ok((response, total, false))
    }

    #[test]
    fn answers_end_where_they_should() {
        for (input, status, end, reusable) in [
            (&b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloX"[..], 200, 43, true),
            (b"HTTP/1.1 204\r\n\r\nX", 204, 16, true),
            (b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\nX", 200, 57, false),
            (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nyX", 200, 39, false),
            (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nyX", 200, 63, true),
            (CHUNKED, 500, CHUNKED.len() - 4, true),
        ] {
            let (response, used, done) = read(input, &[], false).expect("an answer");
            assert_eq!(
                (response.status, used, done, response.reusable),
                (status, end, true, reusable),
                "{}",
                String::from_utf8_lossy(input)
            );
        }
        assert_eq!(read(CHUNKED, &[], false).expect("an answer").0.example, b"abcde");
        let (mut open, _, done) = read(b"HTTP/1.1 200 OK\r\n\r\nall of it", &[], false).expect("an answer");
        assert_eq!((done, open.reusable, open.close()), (false, false, true));
        assert!(read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", &[], true).expect("HEAD").2);
    }

    #[test]
    fn what_is_no_answer_is_told() {
        for input in [
            &b"SSH-2.0-x\r\n\r\n"[..],
            b"HTTP/2 200\r\n\r\n",
            b"HTTP/1.1 20x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ] {
            assert!(read(input, &[], false).is_err(), "{}", String::from_utf8_lossy(input));
        }
        assert!(read(&vec![b'a'; HEAD_LIMIT + 1], &[], false).is_err());
    }

    proptest! {
        #[test]
        fn however_it_is_cut_it_is_the_same(pieces in proptest::collection::vec(1usize..20, 0..60)) {
            let (response, used, done) = read(CHUNKED, &pieces, false).expect("an answer");
            prop_assert_eq!((response.status, used, done), (500, CHUNKED.len() - 4, true));
            prop_assert_eq!(response.example.as_slice(), b"abcde");
        }

        #[test]
        fn no_bytes_make_it_panic(input in proptest::collection::vec(any::<u8>(), 0..300), pieces in proptest::collection::vec(1usize..9, 0..40)) {
            let _ = read(&input, &pieces, false);
            let _ = read(&[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", input.as_slice()].concat(), &pieces, false);
        }
    }
}
