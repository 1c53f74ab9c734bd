//! What `wharf --json` tells while it runs, line by line, read for a run.

use crate::run::{Cause, StageState};
use base::Finding;
use serde_json::Value;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The stages that there will be, in their order: `{"stages":["lint","test"]}`.
    Stages(Vec<String>),
    /// A stage began: `{"stage":"lint","state":"running"}`.
    Began(String),
    /// A line of a stage's log: `{"stage":"build","note":"..."}`.
    Note(String, String),
    /// Something found that does not stop the run: `{"stage":"lint","finding":{...}}`.
    Found(String, Box<Finding>),
    /// What a stage tells while it runs; members replace those of the detail so far: `{"stage":"deploy","detail":{"pods":[...]}}`.
    Detail(String, Value),
    /// A stage ended: `{"stage":"lint","state":"done","summary":"...","milliseconds":3,"detail":{...}}`.
    Ended {
        /// Its name.
        stage: String,
        /// How.
        state: StageState,
        /// In a few words.
        summary: String,
        /// How long it took.
        milliseconds: u64,
        /// All that it found, in its own shape, whose members replace those of the detail so far; null where there is nothing to add.
        detail: Value,
    },
    /// A service answers: `{"service":"web","url":"http://..."}`.
    Url(String, String),
    /// The release that is deployed: `{"release":"..."}`.
    Release(String),
    /// The command failed: `{"error":{"kind":"work","message":"...","hints":[],"findings":[],"exit_code":1}}`.
    Failed(Cause, Vec<Finding>),
    /// What else programs are told, such as the progress of a load; it is no line of a log.
    Other,
    /// Anything else: a line that is no JSON object.
    Line(String),
}

impl Event {
    /// Reads one line.
    pub fn parse(line: &str) -> Self {
        match serde_json::from_str::<Value>(line) {
            Ok(value) if value.is_object() => read(&value).unwrap_or(Self::Other),
            _ => Self::Line(line.to_owned()),
        }
    }
}

fn read(value: &Value) -> Option<Event> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(error) = value.get("error") {
        return failed(error);
    }
    if let Some(stages) = value.get("stages").and_then(Value::as_array) {
        return Some(Event::Stages(stages.iter().filter_map(Value::as_str).map(str::to_owned).collect()));
    }
    if let Some(stage) = text("stage") {
        return of_stage(value, stage);
    }
    if let Some(release) = text("release") {
        return Some(Event::Release(release));
    }
    Some(Event::Url(text("service")?, text("url")?))
}

fn of_stage(value: &Value, stage: String) -> Option<Event> {
    if let Some(note) = value.get("note").and_then(Value::as_str) {
        return Some(Event::Note(stage, note.to_owned()));
    }
    if let Some(finding) = value.get("finding") {
        return Some(Event::Found(stage, serde_json::from_value(finding.clone()).ok()?));
    }
    let Some(state) = value.get("state").and_then(Value::as_str) else {
        return Some(Event::Detail(stage, value.get("detail")?.clone()));
    };
    match StageState::parse(state)? {
        StageState::Running => Some(Event::Began(stage)),
        state => Some(Event::Ended {
            stage,
            state,
            summary: value.get("summary").and_then(Value::as_str).unwrap_or_default().to_owned(),
            milliseconds: value.get("milliseconds").and_then(Value::as_u64).unwrap_or_default(),
            detail: value.get("detail").cloned().unwrap_or_default(),
        }),
    }
}

fn failed(error: &Value) -> Option<Event> {
    let findings = error.get("findings").cloned().unwrap_or_default();
    let cause = Cause {
        kind: error.get("kind")?.as_str()?.to_owned(),
        message: error.get("message")?.as_str()?.to_owned(),
        hints: error.get("hints").and_then(|hints| serde_json::from_value(hints.clone()).ok()).unwrap_or_default(),
        exit_code: error.get("exit_code").and_then(Value::as_u64).and_then(|code| u8::try_from(code).ok()).unwrap_or(70),
    };
    Some(Event::Failed(cause, serde_json::from_value(findings).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{Place, Severity};
    use serde_json::json;

    #[test]
    fn lines_are_read() {
        let finding = Finding::new("DL3006", Severity::Warning, Place::in_file("Dockerfile", 1, 1), "tag it");
        let ended = json!({"stage": "lint", "state": "warned", "summary": "1 warning", "milliseconds": 3, "detail": {"files": 1}});
        let error = json!({"error": {"kind": "work", "message": "no", "hints": ["a"], "findings": [finding], "exit_code": 1}});
        let cause = Cause { kind: "work".into(), message: "no".into(), hints: vec!["a".into()], exit_code: 1 };
        for (line, event) in [
            (json!({"stages": ["lint", "test"]}), Event::Stages(vec!["lint".into(), "test".into()])),
            (json!({"stage": "lint", "state": "running"}), Event::Began("lint".into())),
            (json!({"stage": "build", "note": "x"}), Event::Note("build".into(), "x".into())),
            (json!({"stage": "lint", "finding": finding}), Event::Found("lint".into(), Box::new(finding.clone()))),
            (json!({"stage": "deploy", "detail": {"a": 1}}), Event::Detail("deploy".into(), json!({"a": 1}))),
            (
                ended,
                Event::Ended {
                    stage: "lint".into(),
                    state: StageState::Warned,
                    summary: "1 warning".into(),
                    milliseconds: 3,
                    detail: json!({"files": 1}),
                },
            ),
            (json!({"service": "web", "url": "http://h"}), Event::Url("web".into(), "http://h".into())),
            (json!({"release": "abc"}), Event::Release("abc".into())),
            (error, Event::Failed(cause, vec![finding.clone()])),
        ] {
            assert_eq!(Event::parse(&line.to_string()), event);
        }
        for other in ["{\"stage\":1}", "{\"done\":true}", "{\"stage\":\"a\",\"state\":\"odd\"}", "{\"load\":{}}", "{}"] {
            assert_eq!(Event::parse(other), Event::Other, "{other}");
        }
        for line in ["plain", "[", "[1]", "7", "{", ""] {
            assert_eq!(Event::parse(line), Event::Line(line.into()));
        }
    }
}
