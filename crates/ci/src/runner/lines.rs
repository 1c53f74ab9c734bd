//! Lines of a command on their way to the server: cut where they are endless, without the secrets, within the log's limit.

use super::speaker::Speaker;
use crate::event::Event;
use crate::runs::{LINE_BYTES, Said};
use base::mask::{Mask, Masking};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt};

/// A line of JSON longer than this is no event.
const EVENT_BYTES: usize = 512 << 10;
/// More than the server keeps, so that it says that something was left out.
const BEYOND: u64 = 1 << 20;

/// Stages that are spoken of at once.
const TALKS: usize = 64;
/// Members whose values have a meaning, where they are plain words.
const WORDS: [&str; 5] = ["stage", "stages", "state", "kind", "severity"];
/// A figure of so many digits may be a secret.
const FIGURES: usize = 8;

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

    fn allows(&self, bytes: usize) -> bool {
        self.spent.fetch_add(bytes as u64 + 1, Ordering::Relaxed) < self.limit
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
    /// By the stage that lines name, where they name one: what is said of another does not mend a secret that is broken over lines.
    talks: BTreeMap<Option<String>, Talk>,
}

/// Text of a log, of which a secret may be broken over lines.
struct Talk {
    masking: Masking,
    partial: Vec<u8>,
}

impl Reader {
    fn new(stream: Stream, mask: Mask, budget: Budget) -> Self {
        Self { stream, mask, budget, line: Vec::new(), is_cut: false, skips: false, talks: BTreeMap::new() }
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
        let value = Some(line).filter(|line| self.stream == Stream::Out && !is_cut && line.starts_with('{'));
        let value = value.and_then(|line| serde_json::from_str(line).ok());
        match (value.as_ref().map_or(Event::Line(String::new()), |_| Event::parse(line)), value) {
            (Event::Note(stage, text), _) => self.talk(Some(stage), &text, is_cut, said),
            (Event::Line(_), _) | (_, None) => self.talk(None, line, is_cut, said),
            (event, Some(mut value)) => {
                match &event {
                    // Where a stage begins or ends, what was said before is of the one before.
                    Event::Began(stage) | Event::Ended { stage, .. } => {
                        self.flush_one(&None, said);
                        self.flush_one(&Some(stage.clone()), said);
                    }
                    Event::Failed(..) => self.flush(said),
                    _ => {}
                }
                if matches!(event, Event::Began(_)) {
                    self.budget.begin();
                }
                hide(&self.mask, &mut value, "");
                said.push(Said::Out(value.to_string()));
            }
        }
    }

    fn talk(&mut self, stage: Option<String>, text: &str, is_cut: bool, said: &mut Vec<Said>) {
        if !self.budget.allows(text.len().min(LINE_BYTES)) {
            return;
        }
        if self.talks.len() >= TALKS && !self.talks.contains_key(&stage) {
            self.flush(said);
        }
        let talk = self.talks.entry(stage.clone()).or_insert_with(|| Talk { masking: self.mask.stream(), partial: Vec::new() });
        for part in [text, if is_cut { " [cut]\n" } else { "\n" }] {
            let open = talk.masking.feed(part.as_bytes());
            talk.partial.extend(open);
        }
        whole_lines(self.stream, stage.as_deref(), talk, said);
    }

    fn flush(&mut self, said: &mut Vec<Said>) {
        let stages: Vec<Option<String>> = self.talks.keys().cloned().collect();
        stages.iter().for_each(|stage| self.flush_one(stage, said));
    }

    fn flush_one(&mut self, stage: &Option<String>, said: &mut Vec<Said>) {
        let Some(mut talk) = self.talks.remove(stage) else { return };
        let rest = talk.masking.finish();
        talk.partial.extend(rest);
        whole_lines(self.stream, stage.as_deref(), &mut talk, said);
    }
}

/// Says the lines that are whole, each cut only now: a secret that is cut in two would not be known any more.
fn whole_lines(stream: Stream, stage: Option<&str>, talk: &mut Talk, said: &mut Vec<Said>) {
    let Some(end) = talk.partial.iter().rposition(|byte| *byte == b'\n') else { return };
    let rest = talk.partial.split_off(end + 1);
    let whole = std::mem::replace(&mut talk.partial, rest);
    for line in whole.split_inclusive(|byte| *byte == b'\n') {
        let mut line = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(line)).into_owned();
        if line.len() > LINE_BYTES {
            line.truncate(line.floor_char_boundary(LINE_BYTES));
            line.push_str(" [cut]");
        }
        said.push(match (stage, stream) {
            (Some(stage), _) => Said::Out(json!({"stage": stage, "note": line}).to_string()),
            (None, Stream::Out) => Said::Out(line),
            (None, Stream::Err) => Said::Err(line),
        });
    }
}

/// Takes the secrets out of the texts of an event, and leaves what makes it one: its figures, and the few words that have a meaning.
fn hide(mask: &Mask, value: &mut Value, name: &str) {
    match value {
        Value::String(text) if WORDS.contains(&name) && is_word(text) => {}
        Value::String(text) => *text = mask.text(text),
        Value::Number(number) => {
            let text = number.to_string();
            // A short one is a count or a time by chance; what is a secret for sure is longer.
            if text.len() >= FIGURES && mask.text(&text) != text {
                *value = Value::String(mask.text(&text));
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|one| hide(mask, one, name)),
        Value::Object(members) => {
            for (name, mut member) in std::mem::take(members) {
                hide(mask, &mut member, &name);
                let name = if is_word(&name) { name } else { mask.text(&name) };
                members.insert(name, member);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn is_word(text: &str) -> bool {
    text.len() <= 24 && text.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'-' | b'_'))
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
    fn what_others_say_in_between_mends_no_broken_secret() {
        let between = ["{\"stage\":\"build\",\"note\":\"other\"}", "{\"stage\":\"build\",\"detail\":{\"a\":1}}", "plain"];
        for between in between {
            let notes = format!(
                "{{\"stage\":\"test\",\"note\":\"a s3cr3t-val\"}}\n{between}\n{{\"stage\":\"test\",\"note\":\"ue-of-a-token b\"}}\n"
            );
            let whole = text(&all(Stream::Out, &[notes.as_bytes()]));
            assert!(!whole.contains("s3cr3t") && !whole.contains("ue-of-a-token") && whole.contains("***"), "{whole}");
        }
    }

    #[test]
    fn an_event_stays_one_whatever_a_secret_is() {
        let event = r#"{"stage":"lint","state":"done","summary":"done in 1234 ms","milliseconds":1234,"detail":{"k1234":12345678}}"#;
        let mut reader = Reader::new(Stream::Out, Mask::new(["done", "1234", "lint"]), Budget::new(1 << 20));
        let said = reader.take(format!("{event}\n").as_bytes());
        let Some(Said::Out(line)) = said.first() else { panic!("{said:?}") };
        let Event::Ended { stage, milliseconds, summary, detail, .. } = Event::parse(line) else { panic!("{line}") };
        assert_eq!((stage.as_str(), milliseconds, summary.as_str()), ("lint", 1234, "*** in *** ms"));
        assert!(!detail.to_string().contains("1234"), "{detail}");
    }

    #[test]
    fn a_secret_where_a_line_is_cut_does_not_show_its_beginning() {
        let line = format!("{}s3cr3t-value-of-a-token{}\n", "x".repeat(LINE_BYTES - 10), "y".repeat(100));
        let whole = text(&all(Stream::Err, &[line.as_bytes()]));
        assert!(!whole.contains("s3cr3t") && whole.contains("[cut]"), "{}", &whole[whole.len() - 60..]);
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
