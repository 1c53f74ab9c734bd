//! What runs: the workloads of the release that serves, with their images and what was known of these when it was let through.

use crate::context::Context;
use crate::lineage::images;
use crate::project::Project;
use crate::target::Target;
use ::delivery::Record;
use ::delivery::inventory::Inventory;
use ::delivery::ledger::Event;
use base::{Problem, Timestamp};
use k8s::{Fields, Value};
use scanner::rematch::Running;
use serde::{Deserialize, Serialize};

/// An id, its ecosystem and package.
type Known = (String, String, String);

/// A workload with one of its images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Workload {
    /// `Kind namespace/name`.
    pub(super) name: String,
    pub(super) release: String,
    pub(super) since: Timestamp,
    /// The image's name in the project.
    pub(super) image: String,
    pub(super) image_id: String,
    /// What was found in it when it was released; none where that was not written down.
    pub(super) known: Option<Vec<Known>>,
}

impl Workload {
    pub(super) fn running<'a>(&'a self, inventory: &'a scanner::Inventory) -> Running<'a> {
        Running { workload: &self.name, release: &self.release, since: self.since, image: &self.image, image_id: &self.image_id, inventory }
    }
}

/// What runs, and how sure that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) workloads: Vec<Workload>,
    /// Why the cluster did not say it itself, just now.
    pub(super) doubt: Option<String>,
}

/// What the environment's cluster says; where it is not reached, what it said last.
pub(super) async fn of(context: &Context, project: &Project, before: Option<&[Workload]>) -> Result<Seen, Problem> {
    let said = online(context, project).await.map(|record| record.as_ref().map(workloads).unwrap_or_default());
    settle(said, before, || Ok(offline(context, project)?.as_ref().map(workloads)))
}

/// What this machine deployed last may have been replaced from elsewhere long ago: it counts only for as long as no look has reached
/// the cluster.
fn settle(
    said: Result<Vec<Workload>, Problem>,
    before: Option<&[Workload]>,
    ledger: impl FnOnce() -> Result<Option<Vec<Workload>>, Problem>,
) -> Result<Seen, Problem> {
    let problem = match said {
        Ok(workloads) => return Ok(Seen { workloads, doubt: None }),
        Err(problem) => problem,
    };
    let message = &problem.message;
    let (workloads, what) = match before {
        Some(before) => (before.to_vec(), "what it said last"),
        None => (ledger()?.ok_or_else(|| problem.clone())?, "what this machine deployed last"),
    };
    Ok(Seen { workloads, doubt: Some(format!("the cluster does not say what runs, {what} is watched: {message}")) })
}

async fn online(context: &Context, project: &Project) -> Result<Option<Record>, Problem> {
    let target = Target::of(context, project).await?;
    let inventory = Inventory::load(&target.cluster, &target.namespace, project.name()).await?;
    let Some(release) = inventory.current else { return Ok(None) };
    Record::load(&target.cluster, &target.namespace, project.name(), &release).await
}

fn offline(context: &Context, project: &Project) -> Result<Option<Record>, Problem> {
    let ledger = context.copies().ledger(project.name())?;
    let serves = |event: Event| matches!(event, Event::Deployed | Event::PutBack);
    let last = ledger.as_ref().and_then(|ledger| ledger.entries().iter().rev().find(|entry| serves(entry.event)));
    let Some(release) = last.map(|entry| entry.release.clone()) else { return Ok(None) };
    context.copies().record(project.name(), &release)
}

/// The workloads of a release.
fn workloads(record: &Record) -> Vec<Workload> {
    let references = record.notes.texts("images");
    let ids = record.notes.texts("image_ids");
    let id_of = |name: &str| ids.iter().find(|(known, _)| *known == name).map(|(_, id)| (*id).to_owned());
    let mut all = Vec::new();
    for object in &record.objects {
        let mut used: Vec<String> = images(object);
        used.sort();
        used.dedup();
        for reference in used {
            let Some((name, _)) = references.iter().find(|(_, known)| **known == reference) else { continue };
            let Some(image_id) = id_of(name) else { continue };
            let workload = named(object, &record.namespace);
            // Two images of a project may be one by their content.
            if all.iter().any(|one: &Workload| one.name == workload && one.image_id == image_id) {
                continue;
            }
            all.push(Workload {
                name: workload,
                release: record.id.clone(),
                since: Timestamp::parse_rfc3339(&record.created).unwrap_or_default(),
                known: known(&record.notes, name, &image_id),
                image: (*name).to_owned(),
                image_id,
            });
        }
    }
    all
}

fn named(object: &Value, namespace: &str) -> String {
    let own = object.namespace();
    format!("{} {}/{}", object.text("kind"), if own.is_empty() { namespace } else { own }, object.name())
}

/// What the release's scan kept of an image.
fn known(notes: &Value, name: &str, image_id: &str) -> Option<Vec<Known>> {
    let scan = notes.at("stages")?.member("scan")?;
    // Without advisories nothing was known, and nothing was told.
    let Some(kept) = scan.at("detail.images").and_then(|images| images.member(name)) else {
        return scan.at("detail").is_none().then(Vec::new);
    };
    if kept.text("image") != image_id || kept.int("left_out").is_some_and(|count| count > 0) {
        return None;
    }
    let ids = |found: &Value| -> Vec<String> {
        let more = found.items("aliases").iter().chain(found.items("upstream"));
        let aliases = more.filter_map(Value::as_str).map(str::to_owned);
        std::iter::once(found.text("id").to_owned()).chain(aliases).collect()
    };
    let each = |found: &Value| {
        let (ecosystem, package) = (found.text("ecosystem").to_owned(), found.text("package").to_owned());
        ids(found).into_iter().map(move |id| (id, ecosystem.clone(), package.clone())).collect::<Vec<Known>>()
    };
    Some(kept.items("vulnerabilities").iter().flat_map(each).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(scan: Value) -> Record {
        let pods = |image: &str| json!({"template": {"spec": {"containers": [{"image": image}, {"image": "elsewhere/x:1"}]}}});
        let objects = json!([
            {"kind": "Deployment", "metadata": {"name": "web"}, "spec": pods("localhost/shop/web@sha256:1")},
            {"kind": "StatefulSet", "metadata": {"name": "db", "namespace": "data"}, "spec": pods("localhost/shop/db@sha256:2")},
            {"kind": "Service", "metadata": {"name": "web"}, "spec": {}}
        ]);
        serde_json::from_value(
            json!({"id": "abc", "project": "shop", "namespace": "shop", "created": "2026-01-01T00:00:00Z", "fate": "deployed",
            "notes": {"images": {"web": "localhost/shop/web@sha256:1", "db": "localhost/shop/db@sha256:2"},
                "image_ids": {"web": "sha256:aa", "db": "sha256:bb"}, "stages": {"scan": scan}}, "objects": objects}),
        )
        .expect("a record")
    }

    #[test]
    fn the_ledger_counts_only_until_a_look_has_reached_the_cluster() {
        let of = |release: &str| {
            let mut all = workloads(&record(Value::Null));
            all.iter_mut().for_each(|workload| workload.release = release.to_owned());
            all
        };
        let away = || Err(Problem::new(base::ProblemKind::Unreachable, "it is away"));
        let release = |seen: Result<Seen, Problem>| seen.map(|seen| (seen.workloads[0].release.clone(), seen.doubt.is_some()));
        let ledger = || Ok(Some(of("old")));
        assert_eq!(release(settle(away(), None, ledger)), Ok(("old".to_owned(), true)));
        assert_eq!(release(settle(Ok(of("new")), None, ledger)), Ok(("new".to_owned(), false)));
        assert_eq!(release(settle(away(), Some(&of("new")), ledger)), Ok(("new".to_owned(), true)));
        assert_eq!(release(settle(away(), None, || Ok(None))).map_err(|problem| problem.message), Err("it is away".to_owned()));
        // Nothing is known of a moment without the cluster, and nothing runs after it said so.
        assert_eq!(settle(away(), Some(&[]), ledger).map(|seen| seen.workloads), Ok(Vec::new()));
    }

    #[test]
    fn two_images_of_one_content_are_one_in_a_workload() {
        let twins = json!([{"image": "localhost/shop/a@sha256:1"}, {"image": "localhost/shop/b@sha256:2"}]);
        let object = json!({"kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": twins}});
        let mut record = record(Value::Null);
        record.objects = serde_json::from_value(json!([object])).expect("objects");
        record.notes = serde_json::from_value(json!({"images": {"a": "localhost/shop/a@sha256:1", "b": "localhost/shop/b@sha256:2"},
            "image_ids": {"a": "sha256:aa", "b": "sha256:aa"}}))
        .expect("notes");
        assert_eq!(workloads(&record).len(), 1);
    }

    #[test]
    fn workloads_of_a_release_are_named_with_their_images_and_what_was_known() {
        let found = json!({"id": "GHSA-1", "aliases": ["CVE-1"], "ecosystem": "npm", "package": "a"});
        let scan = json!({"verdict": "done", "summary": "", "detail": {"images": {"web": {"image": "sha256:aa", "vulnerabilities": [found]},
            "db": {"image": "sha256:other", "vulnerabilities": []}}}});
        let all = workloads(&record(scan));
        let names: Vec<(&str, &str, &str)> = all.iter().map(|one| (one.name.as_str(), one.image.as_str(), one.image_id.as_str())).collect();
        assert_eq!(names, [("Deployment shop/web", "web", "sha256:aa"), ("StatefulSet data/db", "db", "sha256:bb")]);
        assert_eq!((all[0].release.as_str(), all[0].since.rfc3339().as_str()), ("abc", "2026-01-01T00:00:00Z"));
        let triple = |id: &str| (id.to_owned(), "npm".to_owned(), "a".to_owned());
        assert_eq!(all[0].known, Some(vec![triple("GHSA-1"), triple("CVE-1")]));
        assert_eq!(all[1].known, None, "of another image");
        // Scanned without any advisories: everything is news. Never scanned: nothing can be told apart.
        let bare = workloads(&record(json!({"verdict": "unchanged", "summary": "no advisories"})));
        assert_eq!(bare[0].known, Some(Vec::new()));
        assert_eq!(workloads(&record(Value::Null))[0].known, None);
    }
}
