//! OpenAPI v3 and v2 documents, as pure functions of the table and the kinds.
//!
//! Descriptions are the first sentences of the published ones. Source: the OpenAPI specification, and `api/openapi-spec` of kubernetes.

pub mod binary;
mod paths;
mod schema;

use crate::Value;
use crate::kinds::{KINDS, REQUESTS};
use serde_json::{Map, json};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// Which dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    V2,
    V3,
}

impl Dialect {
    const fn reference(self) -> &'static str {
        match self {
            Self::V2 => "#/definitions/",
            Self::V3 => "#/components/schemas/",
        }
    }
}

/// The groups and versions that have a document: `api/v1`, `apis/apps/v1`.
pub fn documents() -> Vec<String> {
    let served = KINDS.iter().map(|kind| (kind.group, kind.version)).chain(REQUESTS.iter().map(|one| (one.group, one.version)));
    let named: BTreeSet<String> = served.map(|(group, version)| document_name(group, version)).collect();
    named.into_iter().collect()
}

fn document_name(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// `/openapi/v3`: every document with its address, which names its content; it is made once.
pub fn v3_index() -> &'static Value {
    static INDEX: OnceLock<Value> = OnceLock::new();
    INDEX.get_or_init(|| {
        let mut paths = Map::new();
        for name in documents() {
            let text = v3_document(&name).map(|document| document.to_string()).unwrap_or_default();
            let address = format!("/openapi/v3/{name}?hash={:016X}", hash(text.as_bytes()));
            paths.insert(name, json!({"serverRelativeURL": address}));
        }
        json!({"paths": paths})
    })
}

/// FNV-1a: the same for the same text in every build.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// `/openapi/v3/NAME`; `None` for what is not served.
pub fn v3_document(name: &str) -> Option<Value> {
    let in_it = |group: &str, version: &str| document_name(group, version) == name;
    let paths = paths::all(Dialect::V3, &in_it);
    if paths.is_empty() {
        return None;
    }
    let schemas = schema::all(Dialect::V3, paths::messages(&in_it));
    Some(json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": schemas},
    }))
}

/// `/openapi/v2` as JSON.
pub fn v2_document() -> Value {
    let all = |_: &str, _: &str| true;
    json!({
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths::all(Dialect::V2, &all),
        "definitions": schema::all(Dialect::V2, paths::messages(&all)),
    })
}

#[cfg(test)]
mod tests;
