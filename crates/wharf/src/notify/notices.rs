//! What people are told: of a run that failed.

use base::Timestamp;
use base::units::show_duration;
use ci::{Run, RunState, StageRun, StageState};
use monitor::{Notice, NoticeKind};
use std::time::Duration;

/// Of a run that did not go well. `url` is the page about it.
pub fn of_run(run: &Run, url: Option<String>) -> Notice {
    let failed = run.stages.iter().find(|stage| stage.state == StageState::Failed);
    let what = match (run.state, failed) {
        (RunState::Lost, _) => "its runners died".to_owned(),
        (RunState::Cancelled, _) => "it was cancelled".to_owned(),
        (_, Some(stage)) => format!("{} failed", stage.name),
        (_, None) => "it failed".to_owned(),
    };
    let commit: String = run.commit.id.chars().take(12).collect();
    Notice {
        key: format!("run/{}/{}", run.repository, run.id),
        kind: NoticeKind::RunFailed,
        project: run.repository.clone(),
        subject: format!("{} {commit}: {what} (run {})", run.branch, run.id),
        text: text(run, failed, &commit, &what),
        findings: failed.map(|stage| stage.findings.clone()).unwrap_or_default(),
        url,
        at: run.ended.unwrap_or(run.created),
    }
}

fn text(run: &Run, failed: Option<&StageRun>, commit: &str, what: &str) -> String {
    let took = failed.and_then(|stage| stage.milliseconds).map(|took| format!(" after {}", show_duration(Duration::from_millis(took))));
    let mut lines = vec![
        format!("run {} of {}: {what}{}", run.id, run.repository, took.unwrap_or_default()),
        String::new(),
        format!("commit       {commit} {} ({})", run.commit.subject, run.commit.author),
        format!("branch       {}", run.branch),
        format!("environment  {}", run.environment),
        format!("began        {}", run.began.map_or_else(|| "never".to_owned(), Timestamp::rfc3339)),
    ];
    if !run.project.is_root() {
        lines.insert(2, format!("project      {}", run.project));
    }
    if let Some(cause) = &run.cause {
        lines.extend([String::new(), format!("error: {}", cause.message)]);
        lines.extend(cause.hints.iter().map(|hint| format!("hint: {hint}")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::{Finding, Place, Severity};
    use serde_json::json;

    #[test]
    fn a_failed_run_is_told_with_its_stage_cause_and_lines() {
        let finding = Finding::new("DL3006", Severity::Error, Place::in_file("app/Dockerfile", 3, 1), "tag it");
        let stage = |name: &str, state: &str| json!({"name": name, "state": state, "milliseconds": 12});
        let mut failed = stage("lint", "failed");
        failed["findings"] = json!([finding]);
        let run: Run = serde_json::from_value(json!({"id": 12, "repository": "jobs", "branch": "main", "environment": "prod",
            "commit": {"id": "0123456789abcdef", "author": "Ann", "subject": "Faster"}, "trigger": {"kind": "push", "by": "ann"},
            "state": "failed", "attempt": 1, "created": 5_000_000, "began": 6_000_000, "ended": 7_000_000,
            "stages": [stage("checkout", "done"), failed, stage("build", "skipped")],
            "cause": {"kind": "work", "message": "1 error", "hints": ["mend it"], "exit_code": 1}}))
        .expect("a run");
        let notice = of_run(&run, Some("http://host/runs/12".to_owned()));
        assert_eq!((notice.key.as_str(), notice.line().as_str()), ("run/jobs/12", "[jobs] main 0123456789ab: lint failed (run 12)"));
        let body = notice.body();
        for part in [
            "run 12 of jobs: lint failed after 12.0 ms\n",
            "commit       0123456789ab Faster (Ann)\nbranch       main\nenvironment  prod\nbegan        1970-01-01T00:00:06Z\n",
            "error: 1 error\nhint: mend it\n",
            "app/Dockerfile:3:1 DL3006 error: tag it\n",
            "http://host/runs/12",
        ] {
            assert!(body.contains(part), "{part}: {body}");
        }
        let lost = Run { state: RunState::Lost, stages: Vec::new(), cause: None, ..run };
        assert!(of_run(&lost, None).subject.ends_with("its runners died (run 12)"));
    }
}
