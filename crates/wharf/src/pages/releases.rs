//! Releases and what allowed them, as this machine wrote them down.

use super::{moment, told};
use ::delivery::ledger::{Entry, Event, Ledger};
use ::delivery::{Copies, Record};
use base::{Finding, Problem};
use dashboard::{Allowed, Approval, Check, Fate, Happened, Release, ReleaseKey, SourceError, StageResult};
use k8s::{Fields, Value};
use std::path::Path;

/// All releases of all projects and environments, the newest first.
///
/// # Errors
/// When what was written down cannot be read.
pub fn releases(home: &Path) -> Result<Vec<Release>, SourceError> {
    let mut all = Vec::new();
    for of in Copies::list(home).map_err(failed)? {
        let copies = Copies::new(home, &of.environment);
        let ledger = copies.ledger(&of.project).map_err(failed)?;
        for id in &of.ids {
            let record = copies.record(&of.project, id).map_err(failed)?;
            all.extend(record.map(|record| brief(&record, &of.environment, ledger.as_ref())));
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
    let known = Copies::list(home).map_err(failed)?;
    let known = known.iter().any(|of| of.project == key.project && of.environment == key.environment && of.ids.contains(&key.id));
    let copies = Copies::new(home, &key.environment);
    let record = if known { copies.record(&key.project, &key.id).map_err(failed)? } else { None };
    let record = record.ok_or_else(missing)?;
    let ledger = copies.ledger(&key.project).map_err(failed)?;
    let notes = &record.notes;
    let text = |path: &str| Some(notes.text(path).to_owned()).filter(|text| !text.is_empty());
    let references = notes.texts("images");
    let reference =
        |name: &str| references.iter().find(|(of, _)| *of == name).map(|(_, reference)| (*reference).to_owned()).unwrap_or_default();
    Ok(Allowed {
        release: brief(&record, &key.environment, ledger.as_ref()),
        check: check(&record, ledger.as_ref()),
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
        happened: entries(ledger.as_ref()).iter().filter(|entry| entry.release == record.id).map(happened).collect(),
    })
}

fn failed(problem: Problem) -> SourceError {
    told(&problem)
}

fn entries(ledger: Option<&Ledger>) -> &[Entry] {
    ledger.map(Ledger::entries).unwrap_or_default()
}

/// The release that serves, as far as this machine knows.
fn current(ledger: Option<&Ledger>) -> Option<&str> {
    let serves = |entry: &&Entry| matches!(entry.event, Event::Deployed | Event::PutBack);
    entries(ledger).iter().rev().find(serves).map(|entry| entry.release.as_str())
}

fn brief(record: &Record, environment: &str, ledger: Option<&Ledger>) -> Release {
    let serves = current(ledger) == Some(record.id.as_str());
    Release {
        key: ReleaseKey { project: record.project.clone(), environment: environment.to_owned(), id: record.id.clone() },
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

/// A record that was changed is an alarm; one that there is nothing to compare with is none.
fn check(record: &Record, ledger: Option<&Ledger>) -> Result<Check, String> {
    let Some(ledger) = ledger else {
        return Ok(Check::NotVerifiable {
            why: "this machine has no ledger of its environment; the next deploy there brings it".to_owned(),
        });
    };
    ledger.verify().and_then(|()| record.check(ledger, None)).map_err(|problem| problem.message)
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
    use ::delivery::redact::Key;
    use base::ids;
    use serde_json::json;
    use std::path::PathBuf;

    fn home() -> PathBuf {
        std::env::temp_dir().join(format!("wharf-pages-{}", ids::suffix(8)))
    }

    /// Writes what a deploy leaves: a record, and the whole ledger of its environment.
    fn deployed(folder: &Path, environment: &str, id: &str, before: &[&str]) {
        std::fs::create_dir_all(folder).expect("made");
        let finding = json!({"rule": "DL3006", "severity": "warning", "place": {"file": "Dockerfile", "line": 1}, "message": "tag it"});
        let notes = json!({"environment": environment, "by": "ops", "source": "abc", "commit": {"id": "abcdef"}, "tree": "sha256:1",
            "images": {"web": "r/web@sha256:2"}, "image_ids": {"web": "sha256:3"}, "plan": {"digest": "sha256:4"},
            "stages": {"lint": {"verdict": "warned", "summary": "1 warning", "detail": {"findings": [finding]}}}});
        let record = json!({"id": id, "project": "shop", "namespace": "shop", "created": "2026-01-02T00:00:00Z", "fate": "deployed",
            "notes": notes, "objects": [], "redacted": true});
        std::fs::write(folder.join(format!("{id}.json")), record.to_string()).expect("written");
        let record: Record = serde_json::from_value(record).expect("a record");
        let mut ledger = Ledger::default();
        for id in before.iter().chain(&[id]) {
            let sealed = Record { id: (*id).to_owned(), ..record.clone() }.seal(&Key::random()).expect("sealed");
            let detail = json!({"sealed": sealed});
            ledger.add("2026-01-02T00:00:01Z".to_owned(), Event::Deployed, id, detail).expect("added");
        }
        std::fs::write(folder.join("ledger.json"), json!(ledger).to_string()).expect("written");
    }

    fn key(environment: &str, id: &str) -> ReleaseKey {
        ReleaseKey { project: "shop".to_owned(), environment: environment.to_owned(), id: id.to_owned() }
    }

    #[test]
    fn each_environment_has_its_own_releases() {
        let home = home();
        let folder = home.join("records/shop");
        deployed(&folder.join("staging"), "staging", "one", &["two"]);
        deployed(&folder.join("prod"), "prod", "two", &["one"]);
        deployed(&folder.join("prod"), "prod", "one", &["two"]);
        // As an earlier version left it: of all environments together.
        deployed(&folder, "old", "one", &[]);
        let all: Vec<(String, String, Fate)> =
            releases(&home).expect("read").into_iter().map(|one| (one.key.environment, one.key.id, one.fate)).collect();
        for (environment, id, fate) in
            [("staging", "one", Fate::Serves), ("prod", "one", Fate::Serves), ("prod", "two", Fate::Deployed), ("old", "one", Fate::Serves)]
        {
            assert!(all.contains(&(environment.to_owned(), id.to_owned(), fate)), "{environment} {id}: {all:?}");
            let known = release(&home, &key(environment, id)).expect("there");
            assert!(matches!(known.check, Ok(Check::Intact { .. })), "{environment} {id}: {:?}", known.check);
            assert_eq!((known.release.fate, known.happened.len()), (fate, 1));
        }
        assert_eq!(all.len(), 4);
        // What was changed is an alarm, and what cannot be compared is none.
        let path = folder.join("staging/one.json");
        let text = std::fs::read_to_string(&path).expect("read");
        std::fs::write(&path, text.replace("ops", "eve")).expect("written");
        assert!(release(&home, &key("staging", "one")).expect("there").check.is_err_and(|why| why.contains("not as it was written")));
        std::fs::remove_file(folder.join("staging/ledger.json")).expect("removed");
        assert!(matches!(release(&home, &key("staging", "one")).expect("there").check, Ok(Check::NotVerifiable { .. })));
        std::fs::remove_dir_all(&home).expect("removed");
    }

    #[test]
    fn a_release_is_shown_with_what_allowed_it_and_no_path_leads_elsewhere() {
        let home = home();
        deployed(&home.join("records/shop/kube"), "kube", "one", &[]);
        std::fs::write(home.join("secret.json"), "{}").expect("written");
        let all = releases(&home).expect("read");
        assert_eq!((all.len(), all[0].fate, all[0].source.as_str()), (1, Fate::Serves, "abc"));
        let known = release(&home, &all[0].key).expect("there");
        assert_eq!(known.images, [("web".to_owned(), "r/web@sha256:2".to_owned(), "sha256:3".to_owned())]);
        assert_eq!((known.stages[0].findings[0].rule.as_str(), known.happened.len()), ("DL3006", 1));
        for (project, id, environment) in [
            ("shop", "two", "kube"),
            ("shop", "one", "local"),
            ("..", "secret", "kube"),
            ("shop", "../../secret", "kube"),
            ("shop", "ledger", "kube"),
            ("shop", "kube/one", ""),
        ] {
            let other = ReleaseKey { project: project.to_owned(), ..key(environment, id) };
            assert!(matches!(release(&home, &other), Err(SourceError::Missing(_))), "{other:?}");
        }
        std::fs::remove_dir_all(&home).expect("removed");
    }
}
