//! Answers of HTTP/1.1, read as far as counting needs it (RFC 9112). Pure; input is hostile.

/// The longest head that is read.
const HEAD_LIMIT: usize = 64 * 1024;
/// The longest line of a chunk or trailer.
const LINE_LIMIT: usize = 4096;
/// Bytes of a failed answer that are kept as an example.
const EXAMPLE: usize = 160;

/// Why an answer is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// What is left of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Length(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailer,
    UntilClose,
    Done,
}

/// What a head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    reusable: bool,
    body: Body,
}

/// The last head that was read: a service's heads are mostly the same for a second, and the same bytes mean the same.
#[derive(Debug, Default)]
pub struct Known {
    bytes: Vec<u8>,
    head: Option<Head>,
    bodiless: bool,
}

impl Known {
    /// Of no head yet; `bodiless` for answers to HEAD.
    pub fn new(bodiless: bool) -> Self {
        Self { bodiless, ..Self::default() }
    }

    fn of(&self, input: &[u8]) -> Option<(Head, usize)> {
        self.head.filter(|_| input.starts_with(&self.bytes)).map(|head| (head, self.bytes.len()))
    }

    fn learn(&mut self, bytes: &[u8], head: Head) {
        self.bytes.clear();
        self.bytes.extend_from_slice(bytes);
        self.head = Some(head);
    }
}

/// An answer on its way.
#[derive(Debug)]
pub struct Response {
    /// 0 until the head is whole.
    pub status: u16,
    /// Whether the connection may be used again.
    pub reusable: bool,
    /// Beginning of the body of a failed answer.
    pub example: Vec<u8>,
    body: Body,
}

impl Default for Response {
    fn default() -> Self {
        Self { status: 0, reusable: true, example: Vec::new(), body: Body::Done }
    }
}

impl Response {
    /// Reads on; returns how many bytes were used, and whether the answer is whole. What was not used comes again.
    ///
    /// # Errors
    /// When it is no answer.
    pub fn feed(&mut self, input: &[u8], known: &mut Known) -> Result<(usize, bool), Malformed> {
        let mut used = 0;
        while self.status == 0 {
            let rest = input.get(used..).unwrap_or_default();
            let (head, length) = match known.of(rest) {
                Some(known) => known,
                None => {
                    let limited = rest.get(..HEAD_LIMIT).unwrap_or(rest);
                    let Some(length) = end_of_head(limited) else {
                        return if rest.len() >= HEAD_LIMIT { Err(Malformed("the head is too long")) } else { Ok((used, false)) };
                    };
                    let bytes = rest.get(..length).unwrap_or_default();
                    let head = read_head(bytes, known.bodiless)?;
                    if head.status >= 200 {
                        known.learn(bytes, head);
                    }
                    (head, length)
                }
            };
            used += length;
            // Those of 1xx are followed by another; to switch protocols nobody was asked.
            if head.status >= 200 || head.status == 101 {
                (self.status, self.reusable, self.body) = (head.status, head.reusable, head.body);
            }
        }
        used += self.skip(input.get(used..).unwrap_or_default())?;
        Ok((used, self.body == Body::Done))
    }

    /// The connection has ended; whether the answer is whole with that.
    pub fn close(&mut self) -> bool {
        self.reusable = false;
        self.status != 0 && matches!(self.body, Body::UntilClose | Body::Done)
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
                    self.body = if chunk { Body::ChunkEnd } else { Body::Done };
                }
                Body::ChunkSize | Body::ChunkEnd | Body::Trailer => {
                    let Some(end) = memchr::memchr(b'\n', rest) else {
                        return if rest.len() > LINE_LIMIT { Err(Malformed("the line of a chunk is too long")) } else { Ok(used) };
                    };
                    used += end + 1;
                    let line = rest.get(..end).unwrap_or_default();
                    self.body = self.after_line(line.strip_suffix(b"\r").unwrap_or(line))?;
                }
            }
        }
    }

    /// RFC 9112, 7.1.
    fn after_line(&self, line: &[u8]) -> Result<Body, Malformed> {
        match (self.body, line) {
            (Body::Trailer, b"") => Ok(Body::Done),
            (Body::Trailer, _) => Ok(Body::Trailer),
            (Body::ChunkEnd, b"") => Ok(Body::ChunkSize),
            (Body::ChunkEnd, _) => Err(Malformed("a chunk is longer than it says")),
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

/// Behind the empty line; a line may end in a line feed alone (RFC 9112, 2.2).
fn end_of_head(input: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', input).find_map(|at| match input.get(at + 1..)? {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

fn read_head(head: &[u8], bodiless: bool) -> Result<Head, Malformed> {
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let (status, old) = status_line(lines.next().unwrap_or_default()).ok_or(Malformed("it does not begin as an HTTP/1 answer"))?;
    let (mut length, mut coded, mut chunked, mut close) = (None, false, false, old);
    for line in lines.take_while(|line| !line.is_empty()) {
        let colon = memchr::memchr(b':', line).ok_or(Malformed("a header without a colon"))?;
        let (name, value) = (line.get(..colon).unwrap_or_default(), line.get(colon + 1..).unwrap_or_default().trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let told = number(value, 10).ok_or(Malformed("a length that is no number"))?;
            if length.is_some_and(|other| other != told) {
                return Err(Malformed("two lengths"));
            }
            length = Some(told);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            coded = true;
            chunked = words(value).last().is_some_and(|word| word.eq_ignore_ascii_case(b"chunked"));
        } else if name.eq_ignore_ascii_case(b"connection") {
            let says = |wanted: &[u8]| words(value).any(|word| word.eq_ignore_ascii_case(wanted));
            close = if old { close && !says(b"keep-alive") } else { close || says(b"close") };
        }
    }
    // RFC 9112, 6.3: what has no body, then the coding, then the length, then the end of the connection.
    let body = match (bodiless || status < 200 || matches!(status, 204 | 304), coded, length) {
        (true, ..) | (_, false, Some(0)) => Body::Done,
        (_, true, _) if chunked => Body::ChunkSize,
        (_, false, Some(length)) => Body::Length(length),
        _ => Body::UntilClose,
    };
    // Two words on the length: whoever is between may have believed the other one.
    let sound = body != Body::UntilClose && status != 101 && !(coded && length.is_some());
    Ok(Head { status, reusable: !close && sound, body })
}

fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// The status, and whether the answer is of HTTP/1.0.
fn status_line(line: &[u8]) -> Option<(u16, bool)> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let old = match rest.first()? {
        b'0' => true,
        b'1' => false,
        _ => return None,
    };
    let (code, after) = rest.get(1..)?.strip_prefix(b" ")?.split_at_checked(3)?;
    let status = u16::try_from(number(code, 10)?).ok().filter(|status| (100..1000).contains(status))?;
    matches!(after.first(), None | Some(b' ')).then_some((status, old))
}

fn number(text: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u64::from_str_radix(text, radix).ok()
}

#[cfg(test)]
mod tests;
