//! Events of both groups; they are the same objects with other names for their members.

use super::cells::since;
use super::{Column, NAME, Printer, text, wide};
use crate::kinds;
use crate::object::{Fields, Value};
use base::Timestamp;
use serde_json::json;

pub(super) static EVENT: Printer = Printer { kind: kinds::EVENT, columns: COLUMNS, cells };
pub(super) static EVENTS_EVENT: Printer = Printer { kind: kinds::EVENTS_EVENT, columns: COLUMNS, cells };

const COLUMNS: &[Column] = &[
    text("Last Seen", "Time since it happened last."),
    text("Type", "Normal or Warning."),
    text("Reason", "Why, in one word."),
    text("Object", "What it is about."),
    wide("Subobject", "Which part of it."),
    wide("Source", "Who told."),
    text("Message", "What happened."),
    wide("First Seen", "Time since it happened first."),
    wide("Count", "How often it happened."),
    Column { priority: 1, ..NAME },
];

fn either<'a>(event: &'a Value, paths: [&str; 2]) -> &'a str {
    paths.into_iter().map(|path| event.text(path)).find(|text| !text.is_empty()).unwrap_or_default()
}

fn cells(event: &Value, now: Timestamp) -> Vec<Value> {
    let time = |paths: [&str; 2]| paths.into_iter().find_map(|path| event.time(path));
    let first = time(["firstTimestamp", "deprecatedFirstTimestamp"]).or_else(|| event.time("eventTime"));
    let last = event.time("series.lastObservedTime").or_else(|| time(["lastTimestamp", "deprecatedLastTimestamp"])).or(first);
    let count = event.int("series.count").or_else(|| event.int("count")).or_else(|| event.int("deprecatedCount"));
    let about = event.member("involvedObject").or_else(|| event.member("regarding")).unwrap_or(&Value::Null);
    let kind = about.text("kind").to_lowercase();
    let object = if about.text("name").is_empty() { kind } else { format!("{kind}/{}", about.text("name")) };
    let source = event.member("source").or_else(|| event.member("deprecatedSource")).unwrap_or(&Value::Null);
    let pick =
        |old: &str, new: &str| if source.text(old).is_empty() { either(event, [new, new]).to_owned() } else { source.text(old).to_owned() };
    let controller =
        pick("component", if event.text("reportingController").is_empty() { "reportingComponent" } else { "reportingController" });
    let instance = pick("host", "reportingInstance");
    vec![
        json!(since(last, now)),
        json!(event.text("type")),
        json!(event.text("reason")),
        json!(object),
        json!(about.text("fieldPath")),
        json!(if instance.is_empty() { controller } else { format!("{controller}, {instance}") }),
        json!(either(event, ["message", "note"]).trim()),
        json!(since(first, now)),
        json!(count.filter(|count| *count != 0).unwrap_or(1)),
        json!(event.name()),
    ]
}
