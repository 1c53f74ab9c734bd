//! States by colour, sign and word: no one of them alone tells anything.

use ci::{RunState, StageState};
use maud::{Markup, html};

/// How a state is shown: the class that colours it, its sign, its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) class: &'static str,
    pub(super) sign: &'static str,
    pub(super) word: &'static str,
}

const fn shown(class: &'static str, sign: &'static str, word: &'static str) -> Shown {
    Shown { class, sign, word }
}

pub(super) const fn of_stage(state: StageState) -> Shown {
    match state {
        StageState::Waiting => shown("waiting", "○", "waiting"),
        StageState::Running => shown("running", "▶", "running"),
        StageState::Done => shown("done", "✓", "done"),
        StageState::Unchanged => shown("unchanged", "=", "unchanged"),
        StageState::Warned => shown("warned", "!", "warned"),
        StageState::Failed => shown("failed", "✕", "failed"),
        StageState::Skipped => shown("skipped", "–", "skipped"),
    }
}

pub(super) const fn of_run(state: RunState) -> Shown {
    match state {
        RunState::Queued => shown("waiting", "○", "queued"),
        RunState::Running => shown("running", "▶", "running"),
        RunState::Passed => shown("done", "✓", "passed"),
        RunState::Failed => shown("failed", "✕", "failed"),
        RunState::Cancelled => shown("skipped", "–", "cancelled"),
        RunState::Lost => shown("failed", "?", "lost"),
    }
}

/// All states of runs, for a filter.
pub(super) const RUN_STATES: [RunState; 6] =
    [RunState::Queued, RunState::Running, RunState::Passed, RunState::Failed, RunState::Cancelled, RunState::Lost];

/// How any other word is shown, such as a release's fate or a pod's state.
pub(super) fn of_word(word: &str) -> (&'static str, &'static str) {
    match word.to_ascii_lowercase().as_str() {
        "serves" | "ready" | "good" | "passed" | "done" | "created" | "intact" | "succeeded" | "completed" => ("done", "✓"),
        "deploying" | "running" | "pending" | "starting" | "containercreating" | "podinitializing" => ("running", "▶"),
        "changed" | "warned" | "behind" | "terminating" | "warning" | "ending" | "not verified" | "medium" | "unknown" => ("warned", "!"),
        "failed" | "rejected" | "critical" | "high" | "error" | "pruned" | "crashloopbackoff" | "imagepullbackoff" | "errimagepull"
        | "limits not kept" => ("failed", "✕"),
        "waiting" | "not yet" | "queued" => ("waiting", "○"),
        _ => ("unchanged", "="),
    }
}

/// A badge: sign and word on the state's colour.
pub(super) fn badge(state: Shown) -> Markup {
    html! { span class={ "badge " (state.class) } { span aria-hidden="true" { (state.sign) } " " (state.word) } }
}

/// A badge of any other word.
pub(super) fn word(text: &str) -> Markup {
    let (class, sign) = of_word(text);
    html! { span class={ "badge " (class) } { span aria-hidden="true" { (sign) } " " (crate::text::name(text)) } }
}
