//! Logs: one file for each run and stage, only ever added to, each with a limit.

use super::files::Files;
use super::kept;
use crate::run::RunId;
use base::files::FileError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Lines between two places that are known.
const STRIDE: u64 = 512;
/// A longer line is cut.
pub(crate) const LINE_BYTES: usize = 16 << 10;

/// Some lines of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPage {
    /// The lines, without their ends. Foreign text: it may hold anything but line ends.
    pub lines: Vec<String>,
    /// The number of the first, from 0.
    pub from: u64,
    /// How many lines the log has.
    pub total: u64,
    /// Whether what came after its limit was left out.
    pub cut: bool,
}

/// Where the logs of a run are, and how they are written.
pub(super) struct Log<'a> {
    pub(super) files: &'a dyn Files,
    pub(super) folder: &'a Path,
    pub(super) run: RunId,
}

/// How far the logs of a run are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Logs(BTreeMap<String, Length>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Length {
    bytes: u64,
    lines: u64,
    #[serde(default)]
    cut: bool,
    /// Where every 512th line begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    places: Vec<u64>,
}

impl Logs {
    /// Adds lines to a stage's log and syncs it; the answer is how many it has then. Where that fails the log is as long as before, and what
    /// a try before has left behind its end is taken away first.
    pub(super) fn add(&mut self, log: &Log<'_>, stage: &str, lines: &[String], limit: u64) -> Result<u64, FileError> {
        let mut length = self.0.get(stage).cloned().unwrap_or_default();
        let mut text = Vec::new();
        for line in lines {
            if length.cut {
                break;
            }
            let mut line = clean(line);
            if length.bytes + text.len() as u64 + line.len() as u64 + 1 > limit {
                length.cut = true;
                line = format!("the log is longer than {limit} bytes: what follows was left out").into();
            }
            if length.lines.is_multiple_of(STRIDE) {
                length.places.push(length.bytes + text.len() as u64);
            }
            text.extend_from_slice(line.as_bytes());
            text.push(b'\n');
            length.lines += 1;
        }
        if !text.is_empty() {
            let path = path(log.folder, log.run, stage);
            if let Some(folder) = path.parent() {
                log.files.folder(folder)?;
            }
            log.files.append(&path, length.bytes, &text)?;
            length.bytes += text.len() as u64;
        }
        let lines = length.lines;
        self.0.insert(stage.to_owned(), length);
        Ok(lines)
    }

    /// Takes away what was written and never acknowledged.
    pub(super) fn cut_back(&self, log: &Log<'_>) -> Result<(), FileError> {
        self.0.iter().try_for_each(|(stage, length)| log.files.cut(&path(log.folder, log.run, stage), length.bytes))
    }

    pub(super) fn page(&self, folder: &Path, id: RunId, stage: &str, from: u64, limit: usize) -> Result<LogPage, FileError> {
        let Some(length) = self.0.get(stage) else { return Ok(LogPage::default()) };
        let mut page = LogPage { lines: Vec::new(), from, total: length.lines, cut: length.cut };
        if from >= length.lines || limit == 0 {
            return Ok(page);
        }
        let path = path(folder, id, stage);
        let failed = |error| FileError::new("read", &path, error);
        let mut file = File::open(&path).map_err(failed)?;
        let at = usize::try_from(from / STRIDE).ok().and_then(|number| length.places.get(number).copied()).unwrap_or(0);
        file.seek(SeekFrom::Start(at)).map_err(failed)?;
        let known = BufReader::new(file.take(length.bytes.saturating_sub(at)));
        let skip = usize::try_from(from % STRIDE).unwrap_or(0);
        for line in known.split(b'\n').skip(skip).take(limit) {
            page.lines.push(String::from_utf8_lossy(&line.map_err(failed)?).into_owned());
        }
        Ok(page)
    }
}

/// One line of at most [`LINE_BYTES`].
fn clean(line: &str) -> std::borrow::Cow<'_, str> {
    if line.len() <= LINE_BYTES && !line.contains('\n') {
        return line.into();
    }
    let cut = line.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= LINE_BYTES).last().unwrap_or(0);
    let mut text = line.get(..cut).unwrap_or_default().replace('\n', " ");
    if cut < line.len() {
        text.push_str(" [cut]");
    }
    text.into()
}

/// Stages are named by whoever runs; their files by what of it cannot lead elsewhere.
fn path(folder: &Path, id: RunId, stage: &str) -> PathBuf {
    let safe: String = stage.bytes().flat_map(safe).map(char::from).take(120).collect();
    kept::folder(folder, id).join("log").join(format!("{safe}.log"))
}

fn safe(byte: u8) -> Vec<u8> {
    if byte.is_ascii_alphanumeric() || byte == b'-' { vec![byte] } else { format!("%{byte:02x}").into_bytes() }
}
impl super::Inner {
    pub(super) fn log(&self, run: RunId) -> Log<'_> {
        Log { files: self.files.as_ref(), folder: &self.folder, run }
    }
}
