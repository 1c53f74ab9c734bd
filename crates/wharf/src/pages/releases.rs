//! Releases and what allowed them, as this machine wrote them down.

use super::{moment, told};
use ::delivery::ledger::{Entry, Event, Ledger};
use ::delivery::{Record, list_home, read_home};
use base::Finding;
use dashboard::{Allowed, Approval, Check, Fate, Happened, Release, ReleaseKey, SourceError, StageResult};
use k8s::{Fields, Value};
use std::path::Path;

/// All releases of all projects, the newest first.
///
/// # Errors
/// When what was written down cannot be read.
pub fn releases(home: &Path) -> Result<Vec<Release>, SourceError> {
    let mut all = Vec::new();
    for (project, ids) in list_home(home).map_err(|problem| told(&problem))? {
        let ledger = ledger(home, &project)?;
        for id in ids {
            all.extend(record(home, &project, &id)?.map(|record| brief(&record, &ledger)));
        }
    }
    all.sort_by_key(|release| std::cmp::Reverse(release.created));
    Ok(all)
}

/// One release and what allowed it.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn release(home: &Path, key: &ReleaseKey) -> Result<Allowed, SourceError> {
    let missing = || SourceError::Missing(format!("release {} of {}", key.id, key.project));
    // What is asked for becomes part of a path.
    let known = list_home(home).map_err(|problem| told(&problem))?;
    let known = known.iter().any(|(project, ids)| *project == key.project && ids.contains(&key.id));
    let record = if known { record(home, &key.project, &key.id)? } else { None };
    let record = record.filter(|record| environment(record) == key.environment).ok_or_else(missing)?;
    let ledger = ledger(home, &key.project)?;
    let notes = &record.notes;
    let text = |path: &str| Some(notes.text(path).to_owned()).filter(|text| !text.is_empty());
    let references = notes.texts("images");
    let reference =
        |name: &str| references.iter().find(|(of, _)| *of == name).map(|(_, reference)| (*reference).to_owned()).unwrap_or_default();
    Ok(Allowed {
        release: brief(&record, &ledger),
        check: check(&record, &ledger),
        commit: text("commit.id"),
        tree: text("tree"),
        by: notes.text("by").to_owned(),
        previous: record.previous.clone(),
        images: notes.texts("image_ids").into_iter().map(|(name, id)| (name.to_owned(), reference(name), id.to_owned())).collect(),
        stages: crate::stages::STAGES
            .iter()
            .filter_map(|stage| Some(of_stage(stage.name, notes.at("stages")?.member(stage.name)?)))
            .collect(),
        approval: notes.at("plan").map(approved),
        happened: ledger.entries().iter().filter(|entry| entry.release == record.id).map(happened).collect(),
        remarks: Vec::new(),
    })
}

fn ledger(home: &Path, project: &str) -> Result<Ledger, SourceError> {
    read_home(home, project, "ledger").map(Option::unwrap_or_default).map_err(|problem| told(&problem))
}

fn record(home: &Path, project: &str, id: &str) -> Result<Option<Record>, SourceError> {
    read_home(home, project, id).map_err(|problem| told(&problem))
}

fn environment(record: &Record) -> &str {
    record.notes.text("environment")
}

/// The release that serves a project, as far as this machine knows.
fn current(ledger: &Ledger) -> Option<&str> {
    let serves = |entry: &&Entry| matches!(entry.event, Event::Deployed | Event::PutBack);
    ledger.entries().iter().rev().find(serves).map(|entry| entry.release.as_str())
}

fn brief(record: &Record, ledger: &Ledger) -> Release {
    let serves = current(ledger) == Some(record.id.as_str());
    Release {
        key: ReleaseKey { project: record.project.clone(), environment: environment(record).to_owned(), id: record.id.clone() },
        created: moment(&record.created),
        fate: match record.fate {
            ::delivery::Fate::Failed => Fate::Failed,
            _ if serves => Fate::Serves,
            ::delivery::Fate::Deployed => Fate::Deployed,
            ::delivery::Fate::Deploying => Fate::Deploying,
        },
        cause: record.cause.as_ref().map(ToString::to_string),
        source: record.notes.text("source").to_owned(),
        run: record.notes.int("run").and_then(|run| u64::try_from(run).ok()).map(ci::RunId),
    }
}

fn check(record: &Record, ledger: &Ledger) -> Check {
    let checked = ledger.verify().and_then(|()| record.check(ledger, None));
    checked.unwrap_or_else(|problem| Check::NotVerifiable { why: problem.message })
}

fn of_stage(name: &str, result: &Value) -> StageResult {
    let findings = result.items("detail.findings").iter();
    StageResult {
        name: name.to_owned(),
        verdict: result.text("verdict").to_owned(),
        summary: result.text("summary").to_owned(),
        findings: findings.filter_map(|finding| serde_json::from_value::<Finding>(finding.clone()).ok()).collect(),
    }
}

fn approved(plan: &Value) -> Approval {
    let signed = crate::evidence::signature(plan);
    Approval {
        plan: plan.text("digest").to_owned(),
        by: signed.is_some().then(|| plan.text("approved_by").to_owned()),
        holds: matches!(signed, Some(Ok(_))),
        signature: signed.map(|signed| signed.unwrap_or_else(|why| why)),
    }
}

fn happened(entry: &Entry) -> Happened {
    let (event, words) = crate::evidence::told(entry);
    Happened { number: entry.number, at: moment(&entry.at), event, words, digest: entry.digest.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_release_is_shown_with_what_allowed_it_and_no_path_leads_elsewhere() {
        let home = std::env::temp_dir().join(format!("wharf-pages-{}", std::process::id()));
        let folder = home.join("records/shop");
        std::fs::create_dir_all(&folder).expect("made");
        std::fs::write(home.join("secret.json"), "{}").expect("written");
        let finding = json!({"rule": "DL3006", "severity": "warning", "place": {"file": "Dockerfile", "line": 1}, "message": "tag it"});
        let notes = json!({"environment": "kube", "by": "ops", "source": "abc", "commit": {"id": "abcdef"}, "tree": "sha256:1",
            "images": {"web": "r/web@sha256:2"}, "image_ids": {"web": "sha256:3"}, "plan": {"digest": "sha256:4"},
            "stages": {"lint": {"verdict": "warned", "summary": "1 warning", "detail": {"findings": [finding]}}}});
        let record = json!({"id": "one", "project": "shop", "namespace": "shop", "created": "2026-01-02T00:00:00Z", "fate": "deployed",
            "notes": notes, "objects": [], "redacted": true});
        std::fs::write(folder.join("one.json"), record.to_string()).expect("written");
        let mut ledger = Ledger::default();
        ledger.add("2026-01-02T00:00:01Z".to_owned(), Event::Deployed, "one", json!({"by": "ops"})).expect("added");
        std::fs::write(folder.join("ledger.json"), json!(ledger).to_string()).expect("written");
        let all = releases(&home).expect("read");
        assert_eq!((all.len(), all[0].fate, all[0].source.as_str()), (1, Fate::Serves, "abc"));
        let key = all[0].key.clone();
        let known = release(&home, &key).expect("there");
        assert_eq!(known.images, [("web".to_owned(), "r/web@sha256:2".to_owned(), "sha256:3".to_owned())]);
        assert_eq!((known.stages[0].findings[0].rule.as_str(), known.happened.len()), ("DL3006", 1));
        assert!(matches!(known.check, Check::NotVerifiable { .. }), "{:?}", known.check);
        for (project, id, environment) in
            [("shop", "two", "kube"), ("shop", "one", "local"), ("..", "secret", "kube"), ("shop", "ledger", "")]
        {
            let other = ReleaseKey { project: project.to_owned(), environment: environment.to_owned(), id: id.to_owned() };
            assert!(matches!(release(&home, &other), Err(SourceError::Missing(_))), "{other:?}");
        }
        std::fs::remove_dir_all(&home).expect("removed");
    }
}
