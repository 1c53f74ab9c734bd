//! A stage that is opened: its words, what it found, what else it tells.

use super::{View, details, findings, states, times};
use crate::{route, text};
use ci::{Run, StageRun, StageState};
use maud::{Markup, html};

/// The stage that is shown: the one asked for, else the one that failed, that runs, or that did something last.
pub(crate) fn opened<'a>(run: &'a Run, asked: Option<&str>) -> Option<&'a StageRun> {
    let named = |name: &str| run.stages.iter().find(|stage| stage.name == name);
    let first = |state: StageState| run.stages.iter().find(|stage| stage.state == state);
    let last = || run.stages.iter().rev().find(|stage| !matches!(stage.state, StageState::Waiting | StageState::Skipped));
    match asked {
        Some(name) => named(name),
        None => first(StageState::Failed).or_else(|| first(StageState::Running)).or_else(last).or_else(|| run.stages.first()),
    }
}

/// The panel of a stage.
pub(super) fn panel(view: &View<'_>, run: &Run, stage: Option<&StageRun>, page: usize) -> Markup {
    let Some(stage) = stage else {
        return html! { section #panel.panel { p.empty { "This run has no stages yet." } } };
    };
    let shown = states::of_stage(stage.state);
    let found = findings::of_stage(stage);
    html! {
        section #panel.panel aria-labelledby="panel-title" {
            div.head {
                h2 #panel-title { bdi { (text::name(&stage.name)) } " " (states::badge(shown)) }
                @if let Some(time) = times::of_stage(stage, view.now) { span.time { (time) } }
            }
            @if !stage.summary.is_empty() { p.summary { bdi { (text::sentence(&stage.summary)) } } }
            @if !found.is_empty() { h3 { "Findings" } (findings::list(&found, page, &route::stage(run.id, &stage.name))) }
            (details::all(view, &stage.detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_failed_is_opened_first() {
        use StageState::{Done, Failed, Running, Skipped, Waiting};
        let run = |states: &[StageState]| {
            let stages: Vec<StageRun> =
                states.iter().enumerate().map(|(at, state)| StageRun { state: *state, ..StageRun::waiting(format!("s{at}")) }).collect();
            let run = json!({"id": 1, "repository": "r", "branch": "b", "environment": "e", "commit": {"id": "", "author": "", "subject": ""},
                "trigger": {"kind": "push", "by": "ann"}, "state": "running", "attempt": 1, "created": 0, "stages": stages});
            serde_json::from_value::<Run>(run).expect("a run")
        };
        for (states, asked, expected) in [
            (vec![Done, Failed, Running], None, Some("s1")),
            (vec![Done, Running, Waiting], None, Some("s1")),
            (vec![Done, Done, Skipped], None, Some("s1")),
            (vec![Waiting, Waiting], None, Some("s0")),
            (vec![Done, Failed], Some("s0"), Some("s0")),
            (vec![Done], Some("other"), None),
            (vec![], None, None),
        ] {
            assert_eq!(opened(&run(&states), asked).map(|stage| stage.name.as_str()), expected, "{states:?}");
        }
    }
}
