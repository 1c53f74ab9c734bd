//! What allowed a workload, for people and as JSON.

use super::known::{Known, Place};
use crate::evidence;
use crate::output::{Output, printable};
use crate::stages::STAGES;
use ::delivery::Check;
use ::delivery::ledger::Entry;
use k8s::{Fields, Value};
use serde_json::json;

/// One document.
pub fn json(asked: &str, known: &Known) -> Value {
    let named = |object: &Value| json!({"kind": object.text("kind"), "name": object.name()});
    let lineage: Option<Vec<Value>> = known.lineage.as_ref().map(|lineage| lineage.chain.iter().map(named).collect());
    let pods: Option<Vec<&str>> = known.lineage.as_ref().map(|lineage| lineage.pods.iter().map(Fields::name).collect());
    let record = known.record.as_ref();
    json!({"workload": asked, "lineage": lineage, "pods": pods, "release": known.release, "images": known.images, "from": known.place,
        "created": record.map(|record| &record.created), "fate": record.map(|record| record.fate),
        "notes": record.map(|record| &record.notes), "entries": known.entries, "remarks": known.remarks,
        "intact": matches!(known.check, Check::Intact { .. }), "check": checked(known), "approval": approval(known)})
}

/// A line for each thing.
pub fn text(output: &Output, asked: &str, known: &Known) {
    let line = |name: &str, text: &str| output.data(format!("{name:<12} {}", printable(text)).trim_end());
    line("workload", &known.lineage.as_ref().map_or_else(|| asked.to_owned(), crate::lineage::Lineage::shown));
    known.remarks.iter().for_each(|remark| line("", remark));
    known.images.iter().for_each(|image| line("image", image));
    line("release", &known.release);
    if let Some(record) = &known.record {
        sources(&line, &record.notes);
        stages(&line, &record.notes);
        allowed(&line, &record.notes);
        if let Some(approval) = approval(known) {
            line("", &approval);
        }
    }
    known.entries.iter().for_each(|entry| happened(&line, entry));
    let place = match known.place {
        Place::Cluster => "in the cluster",
        Place::Home => "on this machine",
        Place::Registry => "beside the image in its registry",
    };
    line("record", &format!("{}, {} entries about it, {place}", checked(known), known.entries.len()));
}

/// What comparing the record gave, in words.
fn checked(known: &Known) -> String {
    match &known.check {
        Check::Intact { entry } => format!("intact, as entry {entry} says"),
        Check::Behind { entry } => {
            format!("older than entry {entry} says, and otherwise as it was written: a run was killed, or somebody put it back")
        }
        Check::NotVerifiable { why } => format!("not verifiable: {why}"),
    }
}

/// Whether the signatures that the record keeps hold; nothing where nobody had to sign.
fn approval(known: &Known) -> Option<String> {
    let plan = known.record.as_ref()?.notes.at("plan")?;
    Some(match evidence::signature(plan)? {
        Ok(key) => format!("its signature holds: {key}"),
        Err(why) => format!("not verifiable: {why}"),
    })
}

fn sources(line: &dyn Fn(&str, &str), notes: &Value) {
    line("source", notes.text("source"));
    if let Some(commit) = notes.at("commit") {
        let dirty = if commit.flag("dirty") { ", with changes that are in no commit" } else { "" };
        line("commit", &format!("{}, tree {}{dirty}", commit.text("id"), commit.text("tree")));
    }
    if !notes.text("tree").is_empty() {
        line("content", notes.text("tree"));
    }
    for (name, id) in notes.texts("image_ids") {
        line("image id", &format!("{name} {id}"));
    }
    line("deployed by", &format!("{} to {}", notes.text("by"), notes.text("environment")));
}

fn stages(line: &dyn Fn(&str, &str), notes: &Value) {
    for stage in STAGES {
        let Some(result) = notes.at("stages").and_then(|stages| stages.member(stage.name)) else { continue };
        line(stage.name, &format!("{}: {}", result.text("verdict"), result.text("summary")));
        details(line, result);
    }
}

fn details(line: &dyn Fn(&str, &str), result: &Value) {
    for finding in result.items("detail.findings") {
        let place = serde_json::from_value::<base::Place>(finding.at("place").cloned().unwrap_or_default()).unwrap_or_default();
        line("", &format!("  {place} {} {}: {}", finding.text("rule"), finding.text("severity"), finding.text("message")));
    }
    if let Some(left_out @ 1..) = result.int("detail.left_out") {
        line("", &format!("  and {left_out} more findings"));
    }
    for test in result.items("detail.tests") {
        let before = if test.flag("passed_before") { ", passed before with the same inputs" } else { "" };
        line("", &format!("  {}: {}{before}", test.text("name"), test.text("run")));
    }
    for check in result.items("detail.checks") {
        line("", &format!("  {}: status {} in {} ms", check.text("check"), count(check, "status"), count(check, "took_ms")));
    }
    for load in result.items("detail.loads") {
        let p99 = load.at("p99_us").and_then(Value::as_f64).unwrap_or_default();
        let said = format!("{} requests, {} failed, p99 {}", count(load, "requests"), count(load, "failed"), loadgen::show_micros(p99));
        line("", &format!("  {} {}: {said}", load.text("method"), load.text("url")));
    }
}

fn count(object: &Value, path: &str) -> i64 {
    object.int(path).unwrap_or(0)
}

fn allowed(line: &dyn Fn(&str, &str), notes: &Value) {
    if let Some(plan) = notes.at("plan") {
        line("plan", plan.text("digest"));
        let who = Some(plan.text("approved_by")).filter(|who| !who.is_empty());
        line("approved by", who.unwrap_or("nobody; the environment has no approvers"));
    }
}

fn happened(line: &dyn Fn(&str, &str), entry: &Entry) {
    let (event, words) = evidence::told(entry);
    let words = if words.is_empty() { event } else { format!("{event}, {words}") };
    line(&format!("#{}", entry.number), &format!("{}  {words}", entry.at));
    if let Some(result) = entry.detail.at("result") {
        details(line, result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci::Digest;

    fn known(check: Check, approvals: Value) -> Known {
        let plan = json!({"digest": Digest::of(b"plan"), "approved_by": "ops (SHA256:x)", "approvals": approvals});
        let record = json!({"id": "r", "project": "p", "namespace": "p", "created": "2026-01-01T00:00:00Z", "fate": "deployed",
            "notes": {"plan": plan}, "objects": []});
        Known {
            lineage: None,
            release: "r".to_owned(),
            images: Vec::new(),
            record: serde_json::from_value(record).ok(),
            entries: Vec::new(),
            place: Place::Registry,
            check,
            remarks: Vec::new(),
        }
    }

    #[test]
    fn intact_is_said_of_nothing_that_was_not_compared() {
        let intact = known(Check::Intact { entry: 3 }, json!([]));
        assert_eq!((json("web", &intact)["intact"].clone(), checked(&intact)), (json!(true), "intact, as entry 3 says".to_owned()));
        for check in [Check::Behind { entry: 3 }, Check::NotVerifiable { why: "no ledger".to_owned() }] {
            let said = json("web", &known(check, json!([])));
            assert!(said["intact"] == false && !said["check"].as_str().unwrap_or_default().contains("intact"), "{said}");
        }
    }

    #[test]
    fn who_approved_is_believed_only_by_the_signature() {
        for approvals in [json!([]), json!(null), json!([{"signature": "nonsense"}])] {
            let said = approval(&known(Check::Intact { entry: 1 }, approvals)).expect("an approver is named");
            assert!(said.starts_with("not verifiable: "), "{said}");
        }
    }
}
