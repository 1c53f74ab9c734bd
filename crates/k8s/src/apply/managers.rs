//! `metadata.managedFields`: who owns which fields, read and written.

use super::fields::FieldSet;
use super::{Manager, Operation};
use crate::object::{Fields, Value};
use serde_json::json;

/// More entries of operation `Update` than this are folded into one. Source: apimachinery `managedfields`.
const MOST_UPDATERS: usize = 10;
const FOLDED: &str = "ancient-changes";

/// One entry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) manager: String,
    pub(crate) operation: Operation,
    pub(crate) api_version: String,
    pub(crate) subresource: String,
    pub(crate) time: String,
    pub(crate) set: FieldSet,
}

impl Entry {
    pub(crate) fn new(by: &Manager<'_>, set: FieldSet) -> Self {
        Self {
            manager: by.name.to_owned(),
            operation: by.operation,
            api_version: by.api_version.to_owned(),
            subresource: by.subresource.to_owned(),
            time: by.time.rfc3339(),
            set,
        }
    }

    fn read(entry: &Value) -> Option<Self> {
        let operation = match entry.text("operation") {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return None,
        };
        Some(Self {
            manager: entry.text("manager").to_owned(),
            operation,
            api_version: entry.text("apiVersion").to_owned(),
            subresource: entry.text("subresource").to_owned(),
            time: entry.text("time").to_owned(),
            set: FieldSet::from_fields_v1(entry.member("fieldsV1").unwrap_or(&Value::Null)),
        })
    }

    fn write(&self) -> Value {
        let mut entry = json!({"manager": self.manager, "operation": self.operation.name(), "apiVersion": self.api_version,
            "fieldsType": "FieldsV1", "fieldsV1": self.set.to_fields_v1()});
        for (name, text) in [("time", &self.time), ("subresource", &self.subresource)] {
            if !text.is_empty() {
                entry.set(name, text.as_str());
            }
        }
        entry
    }

    /// Whether this is the entry that a manager writes into; one that applies keeps one entry over all versions.
    pub(crate) fn is_of(&self, by: &Manager<'_>) -> bool {
        self.manager == by.name
            && self.operation == by.operation
            && self.subresource == by.subresource
            && (by.operation == Operation::Apply || self.api_version == by.api_version)
    }

    /// As a conflict names it.
    pub(crate) fn shown(&self) -> String {
        let mut shown = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            shown += &format!(" with subresource {:?}", self.subresource);
        }
        if self.operation == Operation::Update {
            shown += &format!(" using {}", self.api_version);
        }
        shown
    }
}

/// The entries of an object.
pub(crate) fn read(object: &Value) -> Vec<Entry> {
    object.items("metadata.managedFields").iter().filter_map(Entry::read).collect()
}

/// Puts entries into an object, in their order; none at all removes the member.
pub(crate) fn write(object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.set.is_empty());
    fold(&mut entries);
    entries.sort_by(|a, b| order(a).cmp(&order(b)));
    if entries.is_empty() {
        object.unset("metadata.managedFields");
    } else {
        object.set("metadata.managedFields", entries.iter().map(Entry::write).collect::<Vec<_>>());
    }
}

fn order(entry: &Entry) -> (&'static str, &str, &str, &str, &str) {
    (entry.operation.name(), &entry.time, &entry.manager, &entry.api_version, &entry.subresource)
}

fn fold(entries: &mut Vec<Entry>) {
    let updaters = entries.iter().filter(|entry| entry.operation == Operation::Update).count();
    if updaters <= MOST_UPDATERS {
        return;
    }
    entries.sort_by(|a, b| order(a).cmp(&order(b)));
    let mut surplus = updaters - MOST_UPDATERS + 1;
    let (mut kept, mut folded): (Vec<Entry>, Vec<Entry>) = (Vec::new(), Vec::new());
    for mut entry in entries.drain(..) {
        if entry.operation != Operation::Update || surplus == 0 {
            kept.push(entry);
            continue;
        }
        surplus -= 1;
        match folded.iter_mut().find(|bucket| bucket.api_version == entry.api_version) {
            Some(bucket) => {
                bucket.set.unite(&entry.set);
                bucket.time = entry.time;
            }
            None => {
                entry.manager = FOLDED.to_owned();
                entry.subresource.clear();
                folded.push(entry);
            }
        }
    }
    kept.append(&mut folded);
    *entries = kept;
}
