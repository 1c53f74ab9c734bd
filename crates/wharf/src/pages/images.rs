//! Images of this machine's store: their names, layers and history.

use super::moment;
use crate::advisories;
use base::{Finding, Place, Severity, Timestamp};
use blobs::{BlobError, Store};
use dashboard::{Image, ImageBrief, Layer, SourceError};
use scanner::Inventory;
use scanner::advisories::index::Index;
use scanner::matching::{Options, Report, Vulnerability, scan};
use std::path::Path;

/// All images, those with names first.
///
/// # Errors
/// When the store cannot be read.
pub fn images(store: &Store) -> Result<Vec<ImageBrief>, SourceError> {
    let listed = store.images().list().map_err(|error| failed(&error))?;
    let mut briefs: Vec<ImageBrief> = listed
        .into_iter()
        .map(|image| ImageBrief {
            id: image.id.to_string(),
            names: image.references.iter().map(ToString::to_string).collect(),
            bytes: image.size,
            // Builds that can be repeated have the same time always, which tells nothing.
            created: image.created.as_deref().map(moment).filter(|created| created.seconds() > 86_400 * 3_660),
        })
        .collect();
    briefs.sort_by_key(|image| (image.names.is_empty(), image.names.clone(), image.id.clone()));
    Ok(briefs)
}

/// An image by its id: its layers from the bottom up, each with the instruction that made it, and what is known now against what the last
/// scan found in it.
///
/// # Errors
/// When it is not there, or cannot be read.
pub fn image(home: &Path, store: &Store, id: &str, now: Timestamp) -> Result<Image, SourceError> {
    let brief = images(store)?.into_iter().find(|image| image.id == id).ok_or_else(|| SourceError::Missing(format!("image {id}")))?;
    let found = store.images().resolve(id).map_err(|error| failed(&error))?;
    let (mut layers, mut settings) = (Vec::new(), Vec::new());
    let mut rest = found.layers.iter();
    for (step, layer) in store.images().history(id).map_err(|error| failed(&error))? {
        let instruction = step.created_by.unwrap_or_default();
        match layer {
            Some(layer) => {
                rest.next();
                layers.push(of_layer(store, &layer, instruction));
            }
            None => settings.push(instruction),
        }
    }
    // A history may be shorter than the layers are many.
    layers.extend(rest.map(|layer| of_layer(store, layer, String::new())));
    let inventory = crate::scan::kept(store, id);
    let judged = inventory.as_ref().map(|inventory| judge(home, inventory, now));
    let (known, unjudged, scanned) = judged.map_or_else(Default::default, |judged| (judged.known, judged.unjudged, Some(judged.told)));
    let os = inventory.as_ref().and_then(|inventory| inventory.os.as_ref());
    Ok(Image {
        brief,
        os: os.map(|os| if os.name.is_empty() { format!("{} {}", os.id, os.version) } else { os.name.clone() }),
        platform: format!("{}/{}", found.config.os, found.config.architecture),
        settings,
        layers,
        packages: inventory.map(|inventory| inventory.packages).unwrap_or_default(),
        known,
        unjudged,
        scanned,
    })
}

/// What is known against an image.
struct Judged {
    known: Vec<Vulnerability>,
    unjudged: Vec<Finding>,
    /// By which advisories, or why by none.
    told: String,
}

/// Judged whenever it is asked for: advisories change, and what is in an image does not.
fn judge(home: &Path, inventory: &Inventory, now: Timestamp) -> Judged {
    let asked = advisories::open(home, &[]).and_then(|index| {
        let asked = |index: &Index| scan(inventory, index, &Options::default(), now).map_err(advisories::problem);
        index.as_ref().map(asked).transpose()
    });
    let not = |why: &str| Judged { known: Vec::new(), unjudged: vec![unjudged(why)], told: format!("its packages only: {why}") };
    match asked {
        Ok(Some(report)) => Judged { told: told(&report, now), known: report.vulnerabilities, unjudged: report.unjudged },
        Ok(None) => not("this machine has no advisories, `wharf advisories update` fetches them"),
        Err(problem) => not(&problem.message),
    }
}

fn unjudged(why: &str) -> Finding {
    Finding::new("scan/advisories", Severity::Warning, Place::default(), format!("nothing is known of any package: {why}"))
}

fn told(report: &Report, now: Timestamp) -> String {
    let asked = &report.advisories;
    let days = now.since(asked.created).as_secs() / 86_400;
    let age = match days {
        0 => "of today".to_owned(),
        1 => "1 day old".to_owned(),
        days => format!("{days} days old"),
    };
    let over = if asked.fresh_until < now { "; they are past their time, `wharf advisories update` fetches newer ones" } else { "" };
    format!("by the advisories of {}, {age}{over}", asked.created.rfc3339().replace('T', " ").replace('Z', " UTC"))
}

fn of_layer(store: &Store, layer: &oci::DiffId, instruction: String) -> Layer {
    let bytes = store.layers().meta(layer).map_or(0, |meta| meta.size);
    Layer { id: layer.to_string(), bytes, instruction }
}

fn failed(error: &BlobError) -> SourceError {
    SourceError::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn inventory() -> Inventory {
        serde_json::from_value(json!({"target": {"kind": "image", "name": "web", "id": "sha256:1", "layers": []},
            "packages": [{"ecosystem": "npm", "name": "left-pad", "version": "1.0.0", "file": "app/package-lock.json"}]}))
        .expect("an inventory")
    }

    #[test]
    fn without_advisories_nothing_is_said_to_be_well() {
        let home = std::env::temp_dir().join(format!("wharf-pages-{}", base::ids::suffix(8)));
        let judged = judge(&home, &inventory(), Timestamp::default());
        assert!(judged.told.contains("no advisories") && judged.unjudged.len() == 1, "{}", judged.told);
        std::fs::create_dir_all(advisories::folder(&home)).expect("made");
        std::fs::write(advisories::folder(&home).join("state.json"), "{").expect("written");
        let judged = judge(&home, &inventory(), Timestamp::default());
        assert!(judged.told.contains("state.json") && judged.unjudged.len() == 1, "{}", judged.told);
        std::fs::remove_dir_all(&home).expect("removed");
    }

    #[test]
    fn the_age_of_advisories_is_told() {
        let at = |day: i64| Timestamp::from_micros(day * 86_400_000_000);
        let report = |created: i64, fresh: i64| -> Report {
            serde_json::from_value(json!({"target": {"kind": "image", "name": "web"}, "at": 0, "packages": 1, "vulnerabilities": [],
                "advisories": {"sequence": 1, "created": at(created), "fresh_until": at(fresh)}}))
            .expect("a report")
        };
        assert_eq!(told(&report(0, 9), at(0)), "by the advisories of 1970-01-01 00:00:00 UTC, of today");
        assert!(told(&report(0, 9), at(2)).ends_with(", 2 days old"));
        assert!(told(&report(0, 1), at(2)).contains("2 days old; they are past their time"));
    }
}
