//! What a line of a runner changes in its run. Pure.

use crate::event::Event;
use crate::run::{Run, RunState, StageRun, StageState};
use base::Timestamp;
use serde_json::Value;

/// Findings kept of a stage.
const FINDINGS: usize = 500;
/// Stages of a run.
const STAGES: usize = 64;
/// Bytes of a stage's detail.
const DETAIL: usize = 256 << 10;
/// URLs of a run.
const URLS: usize = 64;

/// Takes one line; the answer is what belongs into a log, and whose.
pub(super) fn apply(run: &mut Run, event: Event, now: Timestamp) -> Option<(String, String)> {
    match event {
        Event::Stages(names) => {
            for name in names {
                if let Some(stage) = stage(run, &name) {
                    stage.is_planned = true;
                }
            }
            None
        }
        Event::Began(name) => {
            let stage = stage(run, &name)?;
            stage.state = StageState::Running;
            stage.began = Some(now);
            None
        }
        Event::Note(name, text) => stage(run, &name).map(|stage| (stage.name.clone(), text)),
        Event::Found(name, finding) => {
            let stage = stage(run, &name)?;
            if stage.findings.len() < FINDINGS && !stage.findings.contains(&finding) {
                stage.findings.push(*finding);
            }
            None
        }
        Event::Detail(name, detail) => {
            tell(stage(run, &name)?, detail);
            None
        }
        Event::Ended { stage: name, state, summary, milliseconds, detail } => {
            let stage = stage(run, &name)?;
            stage.state = state;
            stage.summary = summary;
            stage.milliseconds = Some(milliseconds);
            tell(stage, detail);
            None
        }
        Event::Url(service, url) => {
            run.urls.retain(|(known, _)| *known != service);
            if run.urls.len() < URLS {
                run.urls.push((service, url));
            }
            None
        }
        Event::Release(release) => {
            run.release = Some(release);
            None
        }
        Event::Failed(cause, findings) => {
            let name = at(run)?;
            let stage = stage(run, &name)?;
            for finding in findings {
                if stage.findings.len() < FINDINGS && !stage.findings.contains(&finding) {
                    stage.findings.push(finding);
                }
            }
            let message = cause.message.clone();
            run.cause = Some(cause);
            Some((name, message))
        }
        Event::Other => None,
        Event::Line(text) => at(run).map(|name| (name, text)),
    }
}

/// What a stage tells besides: members take the place of those that were told before, and the others stay.
fn tell(stage: &mut StageRun, detail: Value) {
    let mut whole = stage.detail.clone();
    match (&mut whole, detail) {
        (_, Value::Null) => return,
        (Value::Object(members), Value::Object(told)) => members.extend(told),
        (whole, told) => *whole = told,
    }
    if whole.to_string().len() <= DETAIL {
        stage.detail = whole;
    }
}

/// The stage that a line belongs to which names none: the one that runs, else the one that failed, else the last that did anything.
pub(super) fn at(run: &Run) -> Option<String> {
    let last = |state: fn(StageState) -> bool| run.stages.iter().rev().find(|stage| state(stage.state));
    let found = last(|state| state == StageState::Running)
        .or_else(|| last(|state| state == StageState::Failed))
        .or_else(|| last(|state| state != StageState::Waiting))
        .or_else(|| run.stages.first());
    found.map(|stage| stage.name.clone())
}

/// The stage of a name; a new one stands at the end and was not planned, `None` when there are too many.
fn stage<'r>(run: &'r mut Run, name: &str) -> Option<&'r mut StageRun> {
    let at = match run.stages.iter().position(|stage| stage.name == name) {
        Some(at) => at,
        None if run.stages.len() < STAGES => {
            run.stages.push(StageRun { is_planned: false, ..StageRun::waiting(name.chars().take(100).collect::<String>()) });
            run.stages.len() - 1
        }
        None => return None,
    };
    run.stages.get_mut(at)
}

/// Ends a run: what still ran has failed with it, what waited is left out.
pub(super) fn end(run: &mut Run, state: RunState, now: Timestamp) {
    run.state = state;
    run.ended = Some(now);
    for stage in &mut run.stages {
        match stage.state {
            StageState::Waiting => stage.state = StageState::Skipped,
            StageState::Running => {
                stage.state = if state == RunState::Cancelled { StageState::Skipped } else { StageState::Failed };
                stage.milliseconds = stage.began.map(|began| u64::try_from(now.since(began).as_millis()).unwrap_or(u64::MAX));
            }
            _ => {}
        }
    }
}

/// A run that waits again: its stages have not begun; their logs stay.
pub(super) fn begin_again(run: &mut Run) {
    run.state = RunState::Queued;
    run.cause = None;
    run.urls = Vec::new();
    run.release = None;
    for stage in &mut run.stages {
        *stage = StageRun { lines: stage.lines, is_planned: stage.is_planned, ..StageRun::waiting(std::mem::take(&mut stage.name)) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_run_begins_again_where_it_was_planned_to() {
        let mut run: Run = serde_json::from_value(
            json!({"id": 1, "repository": "r", "branch": "b", "environment": "e", "commit": {"id": "", "author": "", "subject": ""},
            "trigger": {"kind": "push", "by": "ann"}, "state": "running", "attempt": 1, "created": 0,
            "stages": [{"name": "checkout", "state": "done"}]}),
        )
        .expect("a run");
        for line in [
            json!({"stages": ["deploy", "smoke"]}),
            json!({"stage": "deploy", "state": "running"}),
            json!({"stage": "rollback", "state": "running"}),
            json!({"stage": "rollback", "state": "done", "milliseconds": 3}),
        ] {
            apply(&mut run, Event::parse(&line.to_string()), Timestamp::default());
        }
        let names: Vec<&str> = run.stages.iter().map(|stage| stage.name.as_str()).collect();
        assert_eq!(names, ["checkout", "deploy", "smoke", "rollback"]);
        assert_eq!(run.beginnings().collect::<Vec<_>>(), ["deploy", "smoke"]);
        // It is kept, and so it stays when a runner is lost.
        let mut run: Run = serde_json::from_value(json!(run)).expect("as kept");
        begin_again(&mut run);
        assert_eq!(run.beginnings().collect::<Vec<_>>(), ["deploy", "smoke"]);
    }

    #[test]
    fn what_a_stage_tells_stays_until_it_is_told_anew() {
        let mut stage = StageRun::waiting("deploy");
        for (told, expected) in [
            (json!({"plan": 1}), json!({"plan": 1})),
            (json!({"pods": [1]}), json!({"plan": 1, "pods": [1]})),
            (json!({"pods": [2]}), json!({"plan": 1, "pods": [2]})),
            (Value::Null, json!({"plan": 1, "pods": [2]})),
            (json!({"long": "x".repeat(DETAIL)}), json!({"plan": 1, "pods": [2]})),
            (json!("done"), json!("done")),
        ] {
            tell(&mut stage, told);
            assert_eq!(stage.detail, expected);
        }
    }
}
