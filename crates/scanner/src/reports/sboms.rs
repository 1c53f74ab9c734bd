//! What was found, put into an SBOM: CycloneDX's `vulnerabilities`, SPDX's references of the category SECURITY.

use super::page;
use crate::Inventory;
use crate::gate::LetThrough;
use crate::matching::{Report, Status, Vulnerability};
use crate::sbom::reference;
use crate::severity::Level;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// By the name that the document has for a package: what was found in it.
fn by_package<'r>(inventory: &Inventory, report: &'r Report) -> BTreeMap<String, Vec<&'r Vulnerability>> {
    let mut found: BTreeMap<String, Vec<&Vulnerability>> = BTreeMap::new();
    for package in &inventory.packages {
        let is_it = |one: &&Vulnerability| {
            let it = &one.package;
            (&it.ecosystem, &it.package, &it.version, &it.file, it.line, &it.layer)
                == (&package.ecosystem, &package.name, &package.version, &package.file, package.line, &package.layer)
        };
        let of_it: Vec<&Vulnerability> = report.vulnerabilities.iter().filter(is_it).collect();
        if !of_it.is_empty() {
            found.insert(reference(package), of_it);
        }
    }
    found
}

/// Why a vulnerability of a package is let through, where it is.
fn reason<'i>(found: &Vulnerability, ignored: &'i [LetThrough]) -> Option<&'i str> {
    ignored.iter().find(|one| one.vulnerability == *found).map(|one| one.by.reason.as_str())
}

/// Adds what was found to a CycloneDX document of the same inventory (specification 1.6, "Vulnerabilities"). What is let through says so.
pub fn add_to_cyclonedx(document: &mut Value, inventory: &Inventory, report: &Report, ignored: &[LetThrough]) {
    let mut entries: BTreeMap<(&str, Option<&str>, Option<&str>), Value> = BTreeMap::new();
    for (reference, found) in by_package(inventory, report) {
        for one in found {
            let why = reason(one, ignored);
            let entry = entries.entry((&one.id, one.fixed.as_deref(), why)).or_insert_with(|| entry(one, why));
            if let Some(affects) = entry.get_mut("affects").and_then(Value::as_array_mut) {
                affects.push(json!({"ref": reference}));
            }
        }
    }
    document["vulnerabilities"] = entries.into_values().collect();
}

fn entry(found: &Vulnerability, ignored: Option<&str>) -> Value {
    let level = if found.severity.level == Level::Unknown { "unknown" } else { found.severity.level.name() };
    let mut rating = Map::from_iter([("severity".to_owned(), json!(level))]);
    if !found.severity.source.is_empty() {
        rating.insert("source".to_owned(), json!({"name": found.severity.source}));
    }
    if let (Some(score), Some(vector)) = (found.severity.score, &found.severity.vector) {
        let method = if vector.starts_with("CVSS:4") {
            "CVSSv4"
        } else if vector.starts_with("CVSS:3.1") {
            "CVSSv31"
        } else {
            "CVSSv3"
        };
        rating.extend([("score".to_owned(), json!(score)), ("method".to_owned(), json!(method)), ("vector".to_owned(), json!(vector))]);
    }
    let mut entry = json!({
        "id": found.id,
        "source": {"url": page(&found.id)},
        "references": found.aliases.iter().chain(&found.upstream).map(|alias| json!({"id": alias, "source": {"url": page(alias)}})).collect::<Vec<_>>(),
        "ratings": [rating],
        "affects": [],
    });
    if !found.summary.is_empty() {
        entry["description"] = json!(found.summary);
    }
    if let Some(fixed) = &found.fixed {
        entry["recommendation"] = json!(format!("update to {fixed}"));
    } else if found.status == Status::WillNotFix {
        entry["analysis"] = json!({"response": ["will_not_fix"]});
    }
    if let Some(reason) = ignored {
        entry["analysis"] = json!({"response": ["will_not_fix"], "detail": format!("ignored: {reason}")});
    }
    entry
}

/// Adds what was found to an SPDX document of the same inventory (specification 2.3, 7.21 and annex F.2). What is let through says so.
pub fn add_to_spdx(document: &mut Value, inventory: &Inventory, report: &Report, ignored: &[LetThrough]) {
    let found = by_package(inventory, report);
    for package in document.get_mut("packages").and_then(Value::as_array_mut).into_iter().flatten() {
        let reference = package["SPDXID"].as_str().and_then(|id| id.strip_prefix("SPDXRef-Package-")).map(str::to_owned);
        let of_it = reference.and_then(|reference| found.get(&reference));
        let told = of_it.into_iter().flatten().map(|one| {
            let status = one.fixed.as_ref().map_or_else(|| one.status.words().to_owned(), |fixed| format!("fixed in {fixed}"));
            let comment = reason(one, ignored).map_or_else(|| status.clone(), |reason| format!("{status}; ignored: {reason}"));
            json!({"referenceCategory": "SECURITY", "referenceType": "advisory", "referenceLocator": page(&one.id), "comment": comment})
        });
        // Asking a value for what it lacks would put a null there, which the schema refuses.
        if let Some(references) = package.get_mut("externalRefs").and_then(Value::as_array_mut) {
            references.extend(told);
        }
    }
}
