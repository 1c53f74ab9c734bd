//! SPDX 2.3 in JSON.

use super::licenses::{self, License};
use super::purl::Purl;
use super::{Gathered, Options, reference, target, uuid};
use crate::package::{Inventory, Os, Package, TargetKind};
use base::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ROOT: &str = "SPDXRef-Target";
const SYSTEM: &str = "SPDXRef-OperatingSystem";
const UNKNOWN: &str = "NOASSERTION";

/// The document of an inventory.
pub fn write(inventory: &Inventory, options: Options<'_>) -> Value {
    let os = inventory.os.as_ref();
    let mut extracted = BTreeMap::new();
    let mut packages = vec![subject(inventory)];
    packages.extend(os.map(operating_system));
    packages.extend(inventory.packages.iter().map(|one| package(one, os, &mut extracted)));
    let contained = packages.iter().skip(1).filter_map(|package| package.get("SPDXID"));
    let mut relationships = vec![relationship(&json!("SPDXRef-DOCUMENT"), "DESCRIBES", &json!(ROOT))];
    relationships.extend(contained.map(|id| relationship(&json!(ROOT), "CONTAINS", id)));
    let own = uuid(json!([inventory.target, packages]).to_string().as_bytes());
    let created = options.created.unwrap_or_else(|| Timestamp::from_micros(0)).rfc3339();
    let mut document = json!({"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": inventory.target.name,
        "documentNamespace": format!("https://wharf.local/spdx/{own}"),
        "creationInfo": {"created": created, "creators": [format!("Tool: wharf-{}", options.tool_version)]},
        "packages": packages, "relationships": relationships});
    if !inventory.unread.is_empty() {
        document["comment"] = json!(format!("incomplete: {} things could not be read", inventory.unread.len()));
    }
    if !extracted.is_empty() {
        let info = extracted.iter().map(|(id, text)| json!({"licenseId": id, "extractedText": text, "name": text}));
        document["hasExtractedLicensingInfos"] = info.collect();
    }
    document
}

fn relationship(from: &Value, kind: &str, to: &Value) -> Value {
    json!({"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to})
}

fn subject(inventory: &Inventory) -> Value {
    let target = &inventory.target;
    let image = target.kind == TargetKind::Image || target.id.is_some();
    let purpose = if image { "CONTAINER" } else { "APPLICATION" };
    let mut subject =
        json!({"SPDXID": ROOT, "name": target.name, "downloadLocation": UNKNOWN, "filesAnalyzed": false, "primaryPackagePurpose": purpose});
    if let Some(id) = &target.id {
        subject["versionInfo"] = json!(id);
    }
    if !target.layers.is_empty() {
        subject["sourceInfo"] = json!(format!("layers {}", target.layers.join(" ")));
    }
    subject
}

/// In JSON its purpose has an underscore (`spdx-schema.json` of 2.3), in the text of the specification (7.24) a hyphen; both are read.
fn operating_system(os: &Os) -> Value {
    let mut system = json!({"SPDXID": SYSTEM, "name": os.id, "downloadLocation": UNKNOWN, "filesAnalyzed": false, "primaryPackagePurpose": "OPERATING_SYSTEM"});
    if !os.version.is_empty() {
        system["versionInfo"] = json!(os.version);
    }
    if !os.name.is_empty() {
        system["summary"] = json!(os.name);
    }
    system
}

fn package(package: &Package, os: Option<&Os>, extracted: &mut BTreeMap<String, String>) -> Value {
    let declared = declared(&package.licenses, extracted);
    let purl = Purl::of(package, os).to_string();
    json!({"SPDXID": format!("SPDXRef-Package-{}", reference(package)), "name": package.name, "versionInfo": package.version,
        "downloadLocation": UNKNOWN, "filesAnalyzed": false, "primaryPackagePurpose": "LIBRARY", "supplier": UNKNOWN,
        "licenseConcluded": UNKNOWN, "licenseDeclared": declared, "copyrightText": UNKNOWN, "sourceInfo": place(package),
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}]})
}

/// All licences hold; words that are no expression get a name of the document's own (SPDX 2.3, 10.1).
fn declared(texts: &[String], extracted: &mut BTreeMap<String, String>) -> String {
    let mut parts = Vec::new();
    for text in texts.iter().filter(|text| !text.trim().is_empty()) {
        parts.push(match licenses::read(text) {
            License::Id(id) => id.to_owned(),
            License::Expression(expression) if texts.len() == 1 => expression,
            License::Expression(expression) => format!("({expression})"),
            License::Named(name) => {
                let digest = oci::Digest::of(name.as_bytes()).hex();
                let id = format!("LicenseRef-{}", digest.get(..12).unwrap_or_default());
                extracted.insert(id.clone(), name);
                id
            }
        });
    }
    if parts.is_empty() { UNKNOWN.to_owned() } else { parts.join(" AND ") }
}

/// Where it was found, in words that [`found`] reads again.
fn place(package: &Package) -> String {
    let mut text = String::from("found in ");
    text.push_str(&package.file);
    if let Some(line) = package.line {
        text.push_str(&format!("; line {line}"));
    }
    if let Some(layer) = &package.layer {
        text.push_str(&format!("; layer {layer}"));
    }
    for (holds, words) in [(package.development, DEVELOPMENT), (package.owned, OWNED)] {
        if holds {
            text.push_str("; ");
            text.push_str(words);
        }
    }
    text
}

const DEVELOPMENT: &str = "for development only";
const OWNED: &str = "owned by the distribution";

/// Puts what [`place`] wrote back; words of others are left alone.
fn found(text: &str, package: &mut Package) {
    let Some(mut rest) = text.strip_prefix("found in ") else { return };
    while let Some((before, part)) = rest.rsplit_once("; ") {
        match part.split_once(' ') {
            _ if part == DEVELOPMENT => package.development = true,
            _ if part == OWNED => package.owned = true,
            Some(("layer", layer)) => package.layer = Some(layer.to_owned()),
            Some(("line", line)) if line.parse::<u32>().is_ok() => package.line = line.parse().ok(),
            _ => break,
        }
        rest = before;
    }
    rest.clone_into(&mut package.file);
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    spdx_version: String,
    #[serde(default)]
    packages: Vec<Listed>,
    #[serde(default)]
    has_extracted_licensing_infos: Vec<Extracted>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    #[serde(default)]
    name: String,
    version_info: Option<String>,
    primary_package_purpose: Option<String>,
    summary: Option<String>,
    source_info: Option<String>,
    license_declared: Option<String>,
    #[serde(default)]
    external_refs: Vec<Reference>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    #[serde(default)]
    reference_type: String,
    #[serde(default)]
    reference_locator: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extracted {
    license_id: String,
    #[serde(default)]
    extracted_text: String,
}

/// Reads a document of version 2 in JSON: packages by their URLs.
///
/// # Errors
/// When it is none.
pub fn read(bytes: &[u8], name: &str) -> Result<Inventory, String> {
    let document: Document = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if !document.spdx_version.starts_with("SPDX-2.") {
        return Err(format!("its version is `{}`; versions 2.2 and 2.3 are read", document.spdx_version.escape_debug()));
    }
    let (mut gathered, mut os, mut id, mut layers) = (Gathered::new(), None, None, Vec::new());
    for listed in &document.packages {
        let purl = listed.external_refs.iter().find(|one| one.reference_type == "purl").map(|one| one.reference_locator.as_str());
        match (listed.primary_package_purpose.as_deref(), purl) {
            (Some("OPERATING-SYSTEM" | "OPERATING_SYSTEM"), None) => {
                let version = listed.version_info.clone().unwrap_or_default();
                os = Some(Os { id: listed.name.clone(), version, name: listed.summary.clone().unwrap_or_default() });
            }
            (Some("CONTAINER"), _) => {
                id = listed.version_info.clone().filter(|id| id.starts_with("sha256:"));
                let named = listed.source_info.as_deref().and_then(|text| text.strip_prefix("layers "));
                layers = named.map(|text| text.split(' ').map(str::to_owned).collect()).unwrap_or_default();
            }
            (Some("APPLICATION"), None) => {}
            _ => {
                let Some(package) = gathered.take(purl, name) else { continue };
                package.licenses = licenses_of(listed, &document.has_extracted_licensing_infos);
                listed.source_info.iter().for_each(|text| found(text, package));
            }
        }
    }
    Ok(gathered.inventory(target(name, id, layers), os))
}

fn licenses_of(listed: &Listed, extracted: &[Extracted]) -> Vec<String> {
    let declared = listed.license_declared.as_deref().filter(|text| !matches!(*text, UNKNOWN | "NONE" | ""));
    let words = |id: &str| extracted.iter().find(|one| one.license_id == id).map(|one| one.extracted_text.clone());
    declared.map(|text| words(text).unwrap_or_else(|| text.to_owned())).into_iter().collect()
}
