//! What a pull or push does, as it goes on: one line that is written over on a terminal, one line for each blob elsewhere.

use crate::output::Output;
use base::units::show_bytes;
use blobs::remote::{Progress, Step};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Watches one pull or push.
pub struct Watch {
    output: Output,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    blobs: BTreeMap<String, Progress>,
    shown: Option<Instant>,
}

const EVERY: Duration = Duration::from_millis(100);

impl Watch {
    /// Nothing seen yet.
    pub fn new(output: Output) -> Self {
        Self { output, state: Mutex::default() }
    }

    /// Takes in what was done.
    pub fn see(&self, progress: Progress) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let word = match progress.step {
            Step::Present => "is there",
            Step::Downloaded => "pulled",
            Step::Uploaded => "pushed",
            Step::Mounted => "taken over from another repository",
            Step::Retrying => "broke off and goes on",
            Step::Downloading | Step::Uploading => "",
        };
        if !word.is_empty() && (!self.output.is_live() || progress.step == Step::Retrying) {
            let size = progress.total.filter(|total| *total > 0).map(|total| format!(", {}", show_bytes(total))).unwrap_or_default();
            self.output.note(&format!("{} {word}{size}", short(&progress.what)));
        }
        state.blobs.insert(progress.what.clone(), progress);
        if state.shown.is_none_or(|shown| shown.elapsed() >= EVERY) {
            state.shown = Some(Instant::now());
            self.output.passing(&state.line());
        }
    }

    /// Ends the line.
    pub fn end(&self) {
        self.output.passing("");
    }
}

impl State {
    fn line(&self) -> String {
        let ended = |blob: &&Progress| !matches!(blob.step, Step::Downloading | Step::Uploading | Step::Retrying);
        let moved: u64 = self.blobs.values().filter(|blob| blob.step != Step::Present).map(|blob| blob.done).sum();
        let total: Option<u64> = self.blobs.values().filter(|blob| blob.step != Step::Present).map(|blob| blob.total).sum();
        let of = total.map(|total| format!(" of {}", show_bytes(total))).unwrap_or_default();
        format!("  {} of {} blobs, {}{of}", self.blobs.values().filter(ended).count(), self.blobs.len(), show_bytes(moved))
    }
}

fn short(what: &str) -> String {
    what.strip_prefix("sha256:").map_or(what.to_owned(), |hex| format!("layer {}", hex.chars().take(12).collect::<String>()))
}
