//! Log lines in CRI format: `TIME stdout|stderr F|P LINE`, rotated by size.

use crate::spec::LogFile;
use base::{Clock, SystemClock};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// The longest piece of a line; longer ones are written as several, all but the last marked `P`.
pub const PIECE: usize = 16 << 10;
/// What is gathered before it is written.
const GATHER: usize = 64 << 10;

/// Where bytes came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A container's log.
#[derive(Debug)]
pub struct Log {
    place: LogFile,
    file: File,
    size: u64,
    // The beginning of a line whose end has not come, of each source.
    begun: [Vec<u8>; 2],
}

impl Log {
    /// Opens the log, at its end.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn open(place: &LogFile) -> io::Result<Self> {
        let file = open(&place.path)?;
        let size = file.metadata()?.len();
        Ok(Self { place: place.clone(), file, size, begun: [Vec::new(), Vec::new()] })
    }

    /// Writes the lines of a chunk; `gathered` is an empty buffer that is lent, to be used again.
    /// A disk that is full loses lines, never the container.
    pub fn write(&mut self, source: Source, chunk: &[u8], gathered: &mut Vec<u8>) {
        let head = head(source);
        let mut rest = chunk;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            let begun = std::mem::take(self.begun_mut(source));
            self.line(&head, begun, line, gathered);
        }
        self.keep(source, &head, rest, gathered);
        self.flush(gathered);
    }

    /// Writes what is left of a line without an end.
    pub fn finish(&mut self, source: Source, gathered: &mut Vec<u8>) {
        let begun = std::mem::take(self.begun_mut(source));
        if !begun.is_empty() {
            self.piece(&head(source), b'P', &[&begun], gathered);
        }
        self.flush(gathered);
    }

    fn begun_mut(&mut self, source: Source) -> &mut Vec<u8> {
        let [stdout, stderr] = &mut self.begun;
        if source == Source::Stdout { stdout } else { stderr }
    }

    fn line(&mut self, head: &[u8], mut begun: Vec<u8>, mut line: &[u8], gathered: &mut Vec<u8>) {
        while begun.len() + line.len() > PIECE {
            let (now, later) = line.split_at(PIECE.saturating_sub(begun.len()).min(line.len()));
            self.piece(head, b'P', &[&begun, now], gathered);
            begun.clear();
            line = later;
        }
        self.piece(head, b'F', &[&begun, line], gathered);
    }

    fn keep(&mut self, source: Source, head: &[u8], mut rest: &[u8], gathered: &mut Vec<u8>) {
        while self.begun_mut(source).len() + rest.len() > PIECE {
            let begun = std::mem::take(self.begun_mut(source));
            let (now, later) = rest.split_at(PIECE.saturating_sub(begun.len()).min(rest.len()));
            self.piece(head, b'P', &[&begun, now], gathered);
            rest = later;
        }
        self.begun_mut(source).extend_from_slice(rest);
    }

    fn piece(&mut self, head: &[u8], mark: u8, parts: &[&[u8]], gathered: &mut Vec<u8>) {
        let length = head.len() + 3 + parts.iter().map(|part| part.len()).sum::<usize>();
        let after = self.size + (gathered.len() + length) as u64;
        if after > self.place.max_bytes && self.size + gathered.len() as u64 > 0 {
            self.flush(gathered);
            self.rotate();
        }
        gathered.extend_from_slice(head);
        gathered.extend_from_slice(&[mark, b' ']);
        parts.iter().for_each(|part| gathered.extend_from_slice(part));
        gathered.push(b'\n');
        if gathered.len() >= GATHER {
            self.flush(gathered);
        }
    }

    fn flush(&mut self, gathered: &mut Vec<u8>) {
        if !gathered.is_empty() && self.file.write_all(gathered).is_ok() {
            self.size += gathered.len() as u64;
        }
        gathered.clear();
    }

    fn rotate(&mut self) {
        let numbered = |number: u32| {
            let mut path = self.place.path.clone().into_os_string();
            path.push(format!(".{number}"));
            PathBuf::from(path)
        };
        let old = self.place.max_files.saturating_sub(1);
        if old == 0 {
            let _ = std::fs::remove_file(&self.place.path);
        } else {
            for number in (1..old).rev() {
                let _ = std::fs::rename(numbered(number), numbered(number + 1));
            }
            let _ = std::fs::rename(&self.place.path, numbered(1));
        }
        if let Ok(file) = open(&self.place.path) {
            (self.file, self.size) = (file, 0);
        }
    }
}

fn head(source: Source) -> Vec<u8> {
    let name = if source == Source::Stdout { "stdout" } else { "stderr" };
    format!("{} {name} ", SystemClock.now().rfc3339_nanos()).into_bytes()
}

fn open(path: &std::path::Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o640).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &std::path::Path) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let parts = text.lines().map(|line| line.splitn(4, ' ').map(str::to_owned).collect::<Vec<_>>());
        parts.map(|parts| (format!("{} {}", parts[1], parts[2]), parts[3].clone())).collect()
    }

    fn scratch(name: &str, max_bytes: u64, max_files: u32) -> (PathBuf, Log) {
        let folder = std::env::temp_dir().join(format!("wharf-log-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("folder");
        let log = Log::open(&LogFile { path: folder.join("log"), max_bytes, max_files }).expect("opened");
        (folder, log)
    }

    #[test]
    fn lines_are_whole_however_they_come() {
        let (folder, mut log) = scratch("whole", u64::MAX, 2);
        let mut lent = Vec::new();
        log.write(Source::Stdout, b"one\ntw", &mut lent);
        log.write(Source::Stderr, b"bad\n", &mut lent);
        log.write(Source::Stdout, b"o\n\nlast", &mut lent);
        log.finish(Source::Stdout, &mut lent);
        let expected = [("stdout F", "one"), ("stderr F", "bad"), ("stdout F", "two"), ("stdout F", ""), ("stdout P", "last")];
        assert_eq!(read(&folder.join("log")), expected.map(|(mark, text)| (mark.to_owned(), text.to_owned())));
        std::fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn long_lines_are_cut_and_nothing_is_lost_over_rotations() {
        let (folder, mut log) = scratch("long", 100_000, 20);
        let mut lent = Vec::new();
        let line = "x".repeat(3 * PIECE + 10);
        for chunk in format!("{line}\n").repeat(12).as_bytes().chunks(7_001) {
            log.write(Source::Stdout, chunk, &mut lent);
        }
        let mut files: Vec<_> = std::fs::read_dir(&folder).expect("listed").map(|entry| entry.expect("entry").path()).collect();
        files.sort_by_key(|path| std::cmp::Reverse(path.extension().and_then(|number| number.to_str()?.parse::<u32>().ok()).unwrap_or(0)));
        assert!(files.len() > 3, "{files:?}");
        assert!(files.iter().all(|path| path.metadata().expect("size").len() <= 100_000));
        let (mut whole, mut full) = (String::new(), 0);
        for (mark, text) in files.iter().flat_map(|path| read(path)) {
            whole.push_str(&text);
            full += usize::from(mark.ends_with('F'));
            assert!(text.len() <= PIECE);
        }
        assert!(whole == line.repeat(12), "{} of {}", whole.len(), line.len() * 12);
        assert_eq!(full, 12);
        std::fs::remove_dir_all(folder).expect("removed");
    }
}
