//! What allowed a workload, for people and as JSON.

use super::known::{Known, Place};
use crate::output::{Output, printable};
use crate::stages::STAGES;
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
        "notes": record.map(|record| &record.notes), "entries": known.entries, "remarks": known.remarks, "intact": true})
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
    }
    known.entries.iter().for_each(|entry| happened(&line, entry));
    let place = match known.place {
        Place::Cluster => "in the cluster",
        Place::Home => "on this machine",
        Place::Registry => "beside the image in its registry",
    };
    line("record", &format!("intact, {} entries about it, {place}", known.entries.len()));
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
    let event = serde_json::to_value(entry.event).unwrap_or_default();
    let cause = [entry.detail.text("cause"), entry.detail.text("cause.message")].into_iter().find(|cause| !cause.is_empty());
    let words =
        [event.as_str().unwrap_or_default(), entry.detail.text("by"), entry.detail.text("result.summary"), cause.unwrap_or_default()];
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    line(&format!("#{}", entry.number), &format!("{}  {}", entry.at, words.join(", ")));
    if let Some(result) = entry.detail.at("result") {
        details(line, result);
    }
}
