//! Lines of a command on their way to the server: cut where they are endless, without the secrets, within the log's limit.

use super::speaker::Speaker;
use crate::event::Event;
use crate::runs::{LINE_BYTES, Said};
use base::mask::{Mask, Masking};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt};

/// A line of JSON longer than this is no event.
const EVENT_BYTES: usize = 512 << 10;
/// More than the server keeps, so that it says that something was left out.
const BEYOND: u64 = 1 << 20;

/// How much of a stage's log was sent.
#[derive(Clone)]
pub(super) struct Budget {
    spent: Arc<AtomicU64>,
    limit: u64,
}

impl Budget {
    pub(super) fn new(log_bytes: u64) -> Self {
        Self { spent: Arc::default(), limit: log_bytes.saturating_add(BEYOND) }
    }

    fn begin(&self) {
        self.spent.store(0, Ordering::Relaxed);
    }

    fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Relaxed) >= self.limit
    }

    fn allows(&self, line: &str) -> bool {
        self.spent.fetch_add(line.len() as u64 + 1, Ordering::Relaxed) < self.limit
    }
}

/// Which stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

/// Reads a stream to its end.
pub(super) async fn follow(stream: Stream, from: impl AsyncRead + Unpin, mask: Mask, budget: Budget, speaker: Speaker) {
    let mut from = from;
    let mut reader = Reader::new(stream, mask, budget);
    let mut buffer = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        for said in reader.take(buffer.get(..read).unwrap_or_default()) {
            speaker.say(said).await;
        }
    }
    for said in reader.finish() {
        speaker.say(said).await;
    }
}

/// Bytes in, what is to be said out. Pure but for the budget that both streams share.
struct Reader {
    stream: Stream,
    mask: Mask,
    budget: Budget,
    line: Vec<u8>,
    is_cut: bool,
    /// The rest of this line is not wanted.
    skips: bool,
    talk: Talk,
}

/// Text of a log, of which a secret may be broken over lines.
struct Talk {
    masking: Masking,
    stage: Option<String>,
    partial: Vec<u8>,
}

impl Reader {
    fn new(stream: Stream, mask: Mask, budget: Budget) -> Self {
        let talk = Talk { masking: mask.stream(), stage: None, partial: Vec::new() };
        Self { stream, mask, budget, line: Vec::new(), is_cut: false, skips: false, talk }
    }

    fn take(&mut self, bytes: &[u8]) -> Vec<Said> {
        let mut said = Vec::new();
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            // Of a flood only what may be an event is looked at.
            self.skips |= self.line.is_empty() && !piece.is_empty() && piece.first() != Some(&b'{') && self.budget.is_spent();
            if !self.skips {
                let room = EVENT_BYTES.saturating_sub(self.line.len()).min(piece.len());
                self.line.extend_from_slice(piece.get(..room).unwrap_or_default());
                self.is_cut |= room < piece.len();
            }
            if pieces.peek().is_some() && !std::mem::take(&mut self.skips) {
                self.end_line(&mut said);
            }
        }
        said
    }

    fn finish(&mut self) -> Vec<Said> {
        let mut said = Vec::new();
        if !self.line.is_empty() {
            self.end_line(&mut said);
        }
        self.flush(&mut said);
        said
    }

    fn end_line(&mut self, said: &mut Vec<Said>) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        let line = line.trim_end_matches('\r');
        let is_cut = std::mem::take(&mut self.is_cut);
        let event =
            if self.stream == Stream::Out && !is_cut && line.starts_with('{') { Event::parse(line) } else { Event::Line(String::new()) };
        match event {
            Event::Line(_) => self.talk(None, line, said),
            Event::Note(stage, text) => self.talk(Some(stage), &text, said),
            event => {
                self.flush(said);
                if matches!(event, Event::Began(_)) {
                    self.budget.begin();
                }
                said.push(Said::Out(self.mask.text(line)));
            }
        }
    }

    fn talk(&mut self, stage: Option<String>, text: &str, said: &mut Vec<Said>) {
        if !self.budget.allows(text) {
            return;
        }
        if stage != self.talk.stage {
            self.flush(said);
            self.talk.stage = stage;
        }
        let cut = text.char_indices().map(|(at, _)| at).find(|at| *at >= LINE_BYTES).unwrap_or(text.len());
        let open = self.talk.masking.feed(text.get(..cut).unwrap_or_default().as_bytes());
        self.talk.partial.extend(open);
        let open = self.talk.masking.feed(if cut < text.len() { b" [cut]\n" } else { b"\n" });
        self.talk.partial.extend(open);
        self.whole_lines(said);
    }

    fn flush(&mut self, said: &mut Vec<Said>) {
        let rest = self.talk.masking.finish();
        self.talk.partial.extend(rest);
        self.whole_lines(said);
    }

    fn whole_lines(&mut self, said: &mut Vec<Said>) {
        let Some(end) = self.talk.partial.iter().rposition(|byte| *byte == b'\n') else { return };
        let rest = self.talk.partial.split_off(end + 1);
        let whole = std::mem::replace(&mut self.talk.partial, rest);
        for line in whole.split_inclusive(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line)).into_owned();
            said.push(match (&self.talk.stage, self.stream) {
                (Some(stage), _) => Said::Out(json!({"stage": stage, "note": line}).to_string()),
                (None, Stream::Out) => Said::Out(line),
                (None, Stream::Err) => Said::Err(line),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reader(stream: Stream) -> Reader {
        Reader::new(stream, Mask::new(["s3cr3t-value-of-a-token"]), Budget::new(1 << 20))
    }

    fn all(stream: Stream, pieces: &[&[u8]]) -> Vec<Said> {
        let mut reader = reader(stream);
        let mut said: Vec<Said> = pieces.iter().flat_map(|piece| reader.take(piece)).collect();
        said.extend(reader.finish());
        said
    }

    fn text(said: &[Said]) -> String {
        format!("{said:?}")
    }

    #[test]
    fn a_secret_broken_over_notes_is_masked() {
        let notes = b"{\"stage\":\"test\",\"note\":\"a s3cr3t-val\"}\n{\"stage\":\"test\",\"note\":\"ue-of-a-token b\"}\n{\"stage\":\"test\",\"state\":\"running\"}\n";
        let said = all(Stream::Out, &[notes]);
        assert_eq!(said.len(), 3, "{said:?}");
        let whole = text(&said);
        assert!(!whole.contains("s3cr3t") && !whole.contains("ue-of-a-token") && whole.contains("***"), "{whole}");
    }

    #[test]
    fn events_and_talk_are_masked_in_pieces() {
        let line = b"+ curl -u x:s3cr3t-value-of-a-token\n";
        for at in 0..line.len() {
            let (one, two) = line.split_at(at);
            assert_eq!(all(Stream::Err, &[one, two]), [Said::Err("+ curl -u x:***".to_owned())], "{at}");
        }
        let event = b"{\"stage\":\"lint\",\"state\":\"done\",\"summary\":\"s3cr3t-value-of-a-token\"}\n";
        assert!(!text(&all(Stream::Out, &[event])).contains("s3cr3t"));
    }

    #[test]
    fn endless_lines_and_logs_are_cut() {
        let long = vec![b'x'; 2 << 20];
        let said = all(Stream::Out, &[&long, b"\nshort\n"]);
        assert!(said.len() == 2 && matches!(&said[0], Said::Out(line) if line.len() < LINE_BYTES + 10 && line.ends_with("[cut]")));
        let mut reader = reader(Stream::Out);
        let flood = b"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\n".repeat(1 << 10);
        let sent: usize = (0..200).map(|_| reader.take(&flood).iter().map(length).sum::<usize>()).sum();
        assert!(sent < 3 << 20, "{sent}");
        let event = reader.take(b"{\"stage\":\"next\",\"state\":\"running\"}\nseen\n");
        assert_eq!(event.last(), Some(&Said::Out("seen".to_owned())));
    }

    fn length(said: &Said) -> usize {
        if let Said::Out(line) | Said::Err(line) = said { line.len() } else { 0 }
    }

    proptest! {
        #[test]
        fn without_secrets_nothing_is_changed_or_lost(lines in proptest::collection::vec("[ -~]{0,40}", 0..20), cuts in proptest::collection::vec(0..400usize, 0..6)) {
            let whole: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let mut reader = Reader::new(Stream::Err, Mask::default(), Budget::new(1 << 20));
            let (mut said, mut from) = (Vec::new(), 0);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
            cuts.sort_unstable();
            cuts.push(whole.len());
            for cut in cuts {
                said.extend(reader.take(&whole.as_bytes()[from..cut]));
                from = cut;
            }
            said.extend(reader.finish());
            prop_assert_eq!(said, lines.into_iter().map(Said::Err).collect::<Vec<_>>());
        }
    }
}
