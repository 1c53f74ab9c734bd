//! Server-side printing: objects as rows of a `meta.k8s.io/v1` Table, as `kubectl get` shows them.
//!
//! Source for names and cells: kubernetes `pkg/printers/internalversion`.

mod access;
mod cells;
mod config;
mod event;
mod network;
mod node;
mod pod;
mod storage;
mod workload;

#[cfg(test)]
mod tests;

use crate::kinds::Kind;
use crate::object::{Fields, Value};
use base::Timestamp;
use serde_json::json;

pub use cells::human_duration;

/// One column's definition.
#[derive(Debug)]
pub(crate) struct Column {
    name: &'static str,
    kind: &'static str,
    priority: u8,
    about: &'static str,
}

/// How one kind is printed: all columns, and an object's cells for all of them.
#[derive(Debug)]
pub(crate) struct Printer {
    kind: &'static Kind,
    columns: &'static [Column],
    cells: fn(&Value, Timestamp) -> Vec<Value>,
}

/// Every kind with columns of its own; the others show name and time of creation.
const PRINTERS: &[&Printer] = &[
    &pod::POD,
    &workload::DEPLOYMENT,
    &workload::REPLICA_SET,
    &workload::REPLICATION_CONTROLLER,
    &workload::CONTROLLER_REVISION,
    &workload::POD_TEMPLATE,
    &network::SERVICE,
    &network::ENDPOINTS,
    &network::ENDPOINT_SLICE,
    &network::NETWORK_POLICY,
    &network::INGRESS_CLASS,
    &config::CONFIG_MAP,
    &config::SECRET,
    &config::NAMESPACE,
    &config::RESOURCE_QUOTA,
    &config::LEASE,
    &config::PRIORITY_CLASS,
    &config::RUNTIME_CLASS,
    &access::SERVICE_ACCOUNT,
    &access::ROLE_BINDING,
    &access::CLUSTER_ROLE_BINDING,
    &storage::PERSISTENT_VOLUME,
    &storage::PERSISTENT_VOLUME_CLAIM,
    &storage::STORAGE_CLASS,
    &event::EVENT,
    &event::EVENTS_EVENT,
    &node::NODE,
];

const DEFAULT_COLUMNS: &[Column] = &[NAME, Column { name: "Created At", kind: "date", priority: 0, about: "When the object was created." }];

pub(crate) const NAME: Column = text("Name", "The object's name, unique in its namespace.");
pub(crate) const AGE: Column = text("Age", "Time since the object was created.");

pub(crate) const fn text(name: &'static str, about: &'static str) -> Column {
    Column { name, kind: "string", priority: 0, about }
}

pub(crate) const fn wide(name: &'static str, about: &'static str) -> Column {
    Column { name, kind: "string", priority: 1, about }
}

pub(crate) const fn number(name: &'static str, about: &'static str) -> Column {
    Column { name, kind: "integer", priority: 0, about }
}

/// What a row carries beside its cells (`includeObject`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Include {
    /// The metadata, as PartialObjectMetadata.
    #[default]
    Metadata,
    /// The whole object.
    Object,
    /// Nothing.
    None,
}

/// How a table is written.
#[derive(Clone, Debug)]
pub struct Options {
    /// What a row carries beside its cells.
    pub include: Include,
    /// Whether the columns are defined; later events of a watch leave them out.
    pub headers: bool,
    /// The list's metadata, or for one object a map with its resourceVersion.
    pub metadata: Value,
    /// The Table's version: `v1` or `v1beta1`.
    pub version: &'static str,
}

impl Default for Options {
    fn default() -> Self {
        Self { include: Include::Metadata, headers: true, metadata: json!({}), version: "v1" }
    }
}

/// Objects of one kind as a Table.
pub fn table(kind: &Kind, objects: &[&Value], now: Timestamp, options: &Options) -> Value {
    let printer = PRINTERS.iter().find(|printer| printer.kind == kind);
    let api_version = format!("meta.k8s.io/{}", options.version);
    let rows = objects.iter().map(|object| {
        let cells = printer.map_or_else(|| default_cells(object), |printer| (printer.cells)(object, now));
        let mut row = json!({"cells": cells});
        let conditions = if kind == crate::kinds::POD { pod::conditions(object) } else { None };
        if let Some(conditions) = conditions {
            row["conditions"] = conditions;
        }
        match options.include {
            Include::None => {}
            Include::Object => row["object"] = (*object).clone(),
            Include::Metadata => {
                let metadata = object.member("metadata").cloned().unwrap_or_else(|| json!({}));
                row["object"] = json!({"kind": "PartialObjectMetadata", "apiVersion": api_version, "metadata": metadata});
            }
        }
        row
    });
    let rows: Vec<Value> = rows.collect();
    let columns: Vec<Value> = match options.headers {
        true => printer.map_or(DEFAULT_COLUMNS, |printer| printer.columns).iter().map(definition).collect(),
        false => Vec::new(),
    };
    json!({"kind": "Table", "apiVersion": api_version, "metadata": options.metadata, "columnDefinitions": columns, "rows": rows})
}

fn definition(column: &Column) -> Value {
    let format = if column.name == "Name" { "name" } else { "" };
    json!({"name": column.name, "type": column.kind, "format": format, "description": column.about, "priority": column.priority})
}

fn default_cells(object: &Value) -> Vec<Value> {
    vec![json!(object.name()), json!(object.text("metadata.creationTimestamp"))]
}
