//! Moments and lengths of time, as people read them. The script counts on what still runs.

use base::Timestamp;
use base::units::show_duration;
use ci::{Run, StageRun, StageState};
use maud::{Markup, html};
use std::time::Duration;

/// How long something took.
pub(crate) fn took(milliseconds: u64) -> String {
    show_duration(Duration::from_millis(milliseconds))
}

/// How long something has been going on: whole seconds, for they go on.
pub(crate) fn so_far(began: Timestamp, now: Timestamp) -> String {
    let seconds = now.since(began).as_secs();
    if seconds < 60 { format!("{seconds} s") } else { format!("{} min {:02} s", seconds / 60, seconds % 60) }
}

/// A length of time that goes on.
pub(crate) fn running(began: Timestamp, now: Timestamp) -> Markup {
    html! { span.since data-since=(began.micros()) { (so_far(began, now)) } }
}

/// A moment, by how long ago it was; when exactly is told to who asks.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> Markup {
    html! { time.ago datetime=(at.rfc3339()) title=(at.rfc3339().replace('T', " ").replace('Z', " UTC")) data-ago=(at.micros()) { (words(at, now)) } }
}

/// A moment, exactly.
pub(crate) fn exactly(at: Timestamp) -> Markup {
    html! { time datetime=(at.rfc3339()) { (at.rfc3339().replace('T', " ").replace('Z', " UTC")) } }
}

fn words(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.since(at).as_secs();
    match seconds {
        0..10 => "just now".to_owned(),
        10..60 => format!("{seconds} s ago"),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..86_400 => format!("{} h ago", seconds / 3_600),
        86_400..172_800 => "yesterday".to_owned(),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// The time of a stage; nothing where it has none.
pub(super) fn of_stage(stage: &StageRun, now: Timestamp) -> Option<Markup> {
    match (stage.state, stage.began, stage.milliseconds) {
        (StageState::Running, Some(began), _) => Some(running(began, now)),
        (_, _, Some(milliseconds)) => Some(html! { (took(milliseconds)) }),
        _ => None,
    }
}

/// The time of a run, from its beginning on; nothing before.
pub(super) fn of_run(run: &Run, now: Timestamp) -> Option<Markup> {
    let began = run.began?;
    Some(match run.ended {
        Some(ended) => html! { (show_duration(ended.since(began))) },
        None => running(began, now),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_told_in_words() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        for (seconds, expected) in
            [(0, "just now"), (59, "59 s ago"), (60, "1 min ago"), (7_200, "2 h ago"), (90_000, "yesterday"), (200_000, "2 days ago")]
        {
            assert_eq!(words(at(0), at(seconds)), expected);
        }
        assert_eq!(
            (words(at(9), at(0)), so_far(at(0), at(59)), so_far(at(0), at(125))),
            ("just now".into(), "59 s".into(), "2 min 05 s".into())
        );
    }
}
