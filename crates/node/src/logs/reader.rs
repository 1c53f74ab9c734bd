//! From CRI lines to text. Source: kubelet `pkg/kubelet/kuberuntime/logs`.

use super::{LogOptions, LogSource};
use base::Timestamp;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

/// A line longer than this is given in parts.
const LONGEST: usize = 1 << 20;

/// Turns lines into text, as the options say.
pub(super) struct Shaper {
    since: Option<Timestamp>,
    timestamps: bool,
    stream: Option<LogSource>,
    left: Option<u64>,
    rest: Vec<u8>,
    /// Whether a line of each stream is in the middle.
    open: [bool; 2],
}

impl Shaper {
    pub(super) fn new(options: &LogOptions) -> Self {
        Self {
            since: options.since,
            timestamps: options.timestamps,
            stream: options.stream,
            left: options.limit_bytes,
            rest: Vec::new(),
            open: [false; 2],
        }
    }

    /// Whether the limit of bytes is reached.
    pub(super) fn is_full(&self) -> bool {
        self.left == Some(0)
    }

    /// Takes raw bytes of the file; whole lines go to `out`.
    pub(super) fn take(&mut self, raw: &[u8], out: &mut Vec<u8>) {
        let mut raw = raw;
        while let Some(at) = raw.iter().position(|byte| *byte == b'\n') {
            let (line, after) = raw.split_at(at);
            raw = after.get(1..).unwrap_or_default();
            if self.rest.is_empty() {
                self.line(line, out);
            } else {
                let mut whole = std::mem::take(&mut self.rest);
                whole.extend_from_slice(line);
                self.line(&whole, out);
            }
        }
        self.rest.extend_from_slice(raw);
        if self.rest.len() > LONGEST {
            let whole = std::mem::take(&mut self.rest);
            self.line(&whole, out);
        }
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let mut parts = line.splitn(4, |byte| *byte == b' ');
        let (Some(time), Some(stream), Some(tag)) = (parts.next(), parts.next(), parts.next()) else { return };
        let body = parts.next().unwrap_or_default();
        let source = if stream == b"stderr" { LogSource::Stderr } else { LogSource::Stdout };
        if self.stream.is_some_and(|wanted| wanted != source) || self.is_before(time) {
            return;
        }
        let open = &mut self.open[usize::from(source == LogSource::Stderr)];
        let before = out.len();
        if self.timestamps && !*open {
            out.extend_from_slice(time);
            out.push(b' ');
        }
        out.extend_from_slice(body);
        *open = tag.first() == Some(&b'P');
        if !*open {
            out.push(b'\n');
        }
        if let Some(left) = &mut self.left {
            let most = usize::try_from(*left).unwrap_or(usize::MAX);
            out.truncate(before.saturating_add(most));
            *left = left.saturating_sub((out.len() - before) as u64);
        }
    }

    /// Lines come in the order of their times: after the first that is late enough all are.
    fn is_before(&mut self, time: &[u8]) -> bool {
        let Some(since) = self.since else { return false };
        let time = std::str::from_utf8(time).ok().and_then(Timestamp::parse_rfc3339);
        if time.is_some_and(|time| time < since) {
            return true;
        }
        self.since = None;
        false
    }
}

/// Where the last `lines` lines of these files (the oldest first) begin: file and offset.
pub(super) fn tail(files: &[PathBuf], lines: u64) -> io::Result<(usize, u64)> {
    let mut wanted = lines;
    for (index, path) in files.iter().enumerate().rev() {
        let mut file = File::open(path)?;
        let end = file.seek(SeekFrom::End(0))?;
        if wanted == 0 {
            return Ok((index, end));
        }
        match tail_of(&mut file, end, &mut wanted)? {
            Some(offset) => return Ok((index, offset)),
            None => continue,
        }
    }
    Ok((0, 0))
}

/// Offset of the line that is `wanted` lines before the end; `None` when there are fewer, `wanted` then says how many are missing.
fn tail_of(file: &mut File, end: u64, wanted: &mut u64) -> io::Result<Option<u64>> {
    const BLOCK: u64 = 64 << 10;
    let mut buffer = Vec::new();
    let mut at = end;
    while at > 0 {
        let from = at.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(from))?;
        buffer.clear();
        Read::by_ref(file).take(at - from).read_to_end(&mut buffer)?;
        for (index, _) in buffer.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            let next = from + index as u64 + 1;
            // The newline that ends the last line begins none.
            if next == end {
                continue;
            }
            *wanted -= 1;
            if *wanted == 0 {
                return Ok(Some(next));
            }
        }
        at = from;
    }
    if end > 0 {
        *wanted -= 1;
        if *wanted == 0 {
            return Ok(Some(0));
        }
    }
    Ok(None)
}
