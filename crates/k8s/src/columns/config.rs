//! ConfigMaps, Secrets, Namespaces, ResourceQuotas, Leases, PriorityClasses, RuntimeClasses.

use super::cells::age;
use super::{AGE, Column, NAME, Printer, number, text, wide};
use crate::kinds;
use crate::object::{Fields, Value};
use base::Timestamp;
use serde_json::json;

const DATA: Column = text("Data", "How many entries it has.");

pub(super) static CONFIG_MAP: Printer = Printer {
    kind: kinds::CONFIG_MAP,
    columns: &[NAME, DATA, AGE],
    cells: |object, now| vec![json!(object.name()), json!(entries(object, "data") + entries(object, "binaryData")), age(object, now)],
};

pub(super) static SECRET: Printer = Printer {
    kind: kinds::SECRET,
    columns: &[NAME, text("Type", "What it is for."), DATA, AGE],
    cells: |object, now| vec![json!(object.name()), json!(object.text("type")), json!(entries(object, "data")), age(object, now)],
};

pub(super) static NAMESPACE: Printer = Printer {
    kind: kinds::NAMESPACE,
    columns: &[NAME, text("Status", "Whether it is in use or going away."), AGE],
    cells: |object, now| vec![json!(object.name()), json!(object.text("status.phase")), age(object, now)],
};

pub(super) static RESOURCE_QUOTA: Printer = Printer {
    kind: kinds::RESOURCE_QUOTA,
    columns: &[
        NAME,
        text("Request", "What is used of what may be requested."),
        text("Limit", "What is used of what limits may add up to."),
        AGE,
    ],
    cells: resource_quota,
};

pub(super) static LEASE: Printer = Printer {
    kind: kinds::LEASE,
    columns: &[NAME, text("Holder", "Who holds it."), AGE],
    cells: |object, now| vec![json!(object.name()), json!(object.text("spec.holderIdentity")), age(object, now)],
};

pub(super) static PRIORITY_CLASS: Printer = Printer {
    kind: kinds::PRIORITY_CLASS,
    columns: &[
        NAME,
        number("Value", "The priority itself."),
        Column { name: "Global-Default", kind: "boolean", priority: 0, about: "Whether pods without a class get it." },
        AGE,
        wide("PreemptionPolicy", "Whether its pods may push others out."),
    ],
    cells: |object, now| {
        let (value, default) = (object.int("value").unwrap_or(0), object.flag("globalDefault"));
        vec![json!(object.name()), json!(value), json!(default), age(object, now), json!(object.text("preemptionPolicy"))]
    },
};

pub(super) static RUNTIME_CLASS: Printer = Printer {
    kind: kinds::RUNTIME_CLASS,
    columns: &[NAME, text("Handler", "What runs its pods."), AGE],
    cells: |object, now| vec![json!(object.name()), json!(object.text("handler")), age(object, now)],
};

fn entries(object: &Value, member: &str) -> usize {
    object.member(member).and_then(Value::as_object).map_or(0, serde_json::Map::len)
}

fn resource_quota(object: &Value, now: Timestamp) -> Vec<Value> {
    let used = object.at("status.used");
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (resource, hard) in object.texts("status.hard") {
        let used = used.and_then(|used| used.member(resource)).and_then(Value::as_str).unwrap_or("0");
        let shown = format!("{resource}: {used}/{hard}");
        if resource.starts_with("limits.") { limits.push(shown) } else { requests.push(shown) }
    }
    vec![json!(object.name()), json!(requests.join(", ")), json!(limits.join(", ")), age(object, now)]
}
