//! Lists of packages for others, and from others: CycloneDX and SPDX.
//!
//! What is written depends on the inventory alone: the same packages give the same bytes.

pub mod cyclonedx;
mod licenses;
pub mod purl;
pub mod spdx;

use crate::package::{Inventory, Os, Package, Target, TargetKind};
use base::{Finding, Place, Severity, Timestamp};
use purl::Purl;
use std::collections::BTreeMap;

/// What a document says beside the packages.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Wharf's version.
    pub tool_version: &'a str,
    /// When it was made. Left out of CycloneDX where it is not given; SPDX must have a time and then has that of the Unix epoch.
    pub created: Option<Timestamp>,
}

/// Reads a CycloneDX or SPDX document, or an inventory as Wharf writes it. JSON nested deeper than 128 is refused.
///
/// # Errors
/// When it is none of them; the sentence says what was expected.
pub fn read(bytes: &[u8], name: &str) -> Result<Inventory, String> {
    let text = bytes.trim_ascii_start();
    let bytes = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if !bytes.starts_with(b"{") {
        return Err(match bytes.first() {
            Some(b'<') => "XML documents are not read; convert it to JSON".to_owned(),
            _ => "it is no JSON document".to_owned(),
        });
    }
    let kind: Kind = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    match kind {
        Kind { bom_format: Some(format), .. } if format == "CycloneDX" => cyclonedx::read(bytes, name),
        Kind { spdx_version: Some(_), .. } => spdx::read(bytes, name),
        Kind { context: Some(_), .. } => Err("SPDX 3 is not read; write version 2.3".to_owned()),
        Kind { packages: Some(_), target: Some(_), .. } => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
        _ => Err("it is neither a CycloneDX nor an SPDX document: `bomFormat` and `spdxVersion` are missing".to_owned()),
    }
}

#[derive(serde::Deserialize)]
struct Kind {
    #[serde(rename = "bomFormat")]
    bom_format: Option<String>,
    #[serde(rename = "spdxVersion")]
    spdx_version: Option<String>,
    #[serde(rename = "@context")]
    context: Option<serde::de::IgnoredAny>,
    packages: Option<serde::de::IgnoredAny>,
    target: Option<serde::de::IgnoredAny>,
}

/// A package's name within a document: from all that is known of it, so that it never changes while the package does not.
pub(crate) fn reference(package: &Package) -> String {
    let text = serde_json::to_vec(package).unwrap_or_default();
    oci::Digest::of(&text).hex().chars().take(16).collect()
}

/// A UUID made of content (RFC 9562, version 8).
fn uuid(content: &[u8]) -> String {
    let mut hex: Vec<char> = oci::Digest::of(content).hex().chars().take(32).collect();
    for (at, digit) in [(12, '8'), (16, 'a')] {
        if let Some(place) = hex.get_mut(at) {
            *place = digit;
        }
    }
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default().iter().collect::<String>();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// What a reader gathers.
struct Gathered {
    packages: Vec<Package>,
    /// Types of packages that are not known here, and how often.
    unknown: BTreeMap<String, usize>,
    unnamed: usize,
}

impl Gathered {
    fn new() -> Self {
        Self { packages: Vec::new(), unknown: BTreeMap::new(), unnamed: 0 }
    }

    /// Takes what a purl names; the package is given back for what else is known of it.
    fn take(&mut self, purl: Option<&str>, file: &str) -> Option<&mut Package> {
        let Some(text) = purl else {
            self.unnamed += 1;
            return None;
        };
        let parsed = Purl::parse(text);
        match parsed.as_ref().and_then(|purl| purl.package(file)) {
            Some(package) => {
                self.packages.push(package);
                self.packages.last_mut()
            }
            None => {
                *self.unknown.entry(parsed.map_or_else(|| "malformed".to_owned(), |purl| purl.kind)).or_default() += 1;
                None
            }
        }
    }

    fn inventory(mut self, target: Target, os: Option<Os>) -> Inventory {
        let place = || Place { file: Some(target.name.clone()), ..Place::default() };
        let note = |message: String| Finding::new("unread", Severity::Info, place(), message);
        let mut unread: Vec<Finding> = self
            .unknown
            .iter()
            .map(|(kind, count)| note(format!("{count} packages of type `{}` are not known here", kind.escape_debug())))
            .collect();
        if self.unnamed > 0 {
            unread.push(note(format!("{} components without a package URL are not looked at", self.unnamed)));
        }
        self.packages.sort();
        self.packages.dedup();
        Inventory { target, os, packages: self.packages, unread }
    }
}

fn target(name: &str, id: Option<String>, layers: Vec<String>) -> Target {
    Target { kind: TargetKind::Sbom, name: name.to_owned(), id, layers }
}
