//! What is known of a workload, wherever it is written: the cluster, this machine, the registry. What can be compared is.

use crate::attest;
use crate::context::Context;
use crate::lineage::{Lineage, asked, images, is_of_an_older_template};
use crate::project::Project;
use crate::target::Target;
use ::delivery::inventory::Inventory;
use ::delivery::ledger::{Entry, Event, Ledger};
use ::delivery::manifests::RELEASE;
use ::delivery::redact::Key;
use ::delivery::{Check, Record};
use base::{Problem, ProblemKind};
use k8s::{Fields, Value};
use oci::Reference;

/// Where it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// In the cluster.
    Cluster,
    /// On this machine.
    Home,
    /// Beside the image.
    Registry,
}

/// What is known of a workload.
pub struct Known {
    /// From what was asked for to what was deployed.
    pub lineage: Option<Lineage>,
    pub release: String,
    pub images: Vec<String>,
    pub record: Option<Record>,
    /// The ledger's entries about the release.
    pub entries: Vec<Entry>,
    pub place: Place,
    /// What comparing the record gave.
    pub check: Check,
    /// What should be known besides.
    pub remarks: Vec<String>,
}

/// A ledger that was verified, and the key with which records are compared where it is at hand.
struct Books<'a> {
    ledger: &'a Ledger,
    key: Option<&'a Key>,
    place: Place,
}

impl Known {
    /// All of it compared: a byte that was changed since it was written is found here.
    fn of(release: String, images: Vec<String>, record: Option<Record>, books: &Books<'_>) -> Result<Self, Problem> {
        let check = match &record {
            Some(record) => record.check(books.ledger, books.key)?,
            None => Check::NotVerifiable { why: format!("there is no record of release {release}") },
        };
        let entries = books.ledger.entries().iter().filter(|entry| entry.release == release).cloned().collect();
        Ok(Self { lineage: None, release, images, record, entries, place: books.place, check, remarks: Vec::new() })
    }
}

/// This machine's own ledger, where it has one.
fn of_home(context: &Context, project: &Project) -> Result<Option<Ledger>, Problem> {
    let ledger = context.copies().ledger(project.name())?;
    ledger.as_ref().map_or(Ok(()), Ledger::verify)?;
    Ok(ledger)
}

/// What the cluster knows; of a release whose record it no longer has, what stands beside the image.
pub async fn online(context: &Context, project: &Project, workload: &str) -> Result<Known, Problem> {
    let target = Target::of(context, project).await?;
    let (cluster, namespace) = (&target.cluster, target.namespace.as_str());
    let lineage = Lineage::of(cluster, namespace, workload).await?;
    let none = || Problem::new(ProblemKind::Target, format!("`{workload}` was not deployed by Wharf: it is of no release"));
    let newest = lineage.chain.iter().rev().find_map(|object| object.label(RELEASE)).ok_or_else(none)?.to_owned();
    let inventory = Inventory::load(cluster, namespace, project.name()).await?;
    inventory.ledger.verify()?;
    let books = Books { ledger: &inventory.ledger, key: inventory.key.as_ref(), place: Place::Cluster };
    let mut remarks = Vec::new();
    let runs = lineage.chain.first().map(images).unwrap_or_default();
    let record = match is_of_an_older_template(&lineage.chain) {
        Some(true) => {
            remarks.push(format!("it is still of a release before {newest}, which is taking its place"));
            let records = Record::list(cluster, namespace, project.name()).await?;
            older(&records, &newest, &lineage, &runs)
        }
        _ => Record::load(cluster, namespace, project.name(), &newest).await?,
    };
    let older = !remarks.is_empty();
    let mut known = match record {
        Some(record) => Known::of(record.id.clone(), runs, Some(record), &books)?,
        None => {
            let wanted = Some(newest.as_str()).filter(|_| !older);
            let at_hand: Vec<Ledger> = of_home(context, project)?.into_iter().chain([inventory.ledger.clone()]).collect();
            match beside(context, project, &runs, wanted, &at_hand).await {
                Ok(known) => known,
                // What the ledger says is better than nothing.
                Err(problem) if !older => {
                    remarks.push(format!("the cluster has no record of release {newest}, and {}", problem.message));
                    Known::of(newest, runs, None, &books)?
                }
                Err(problem) => return Err(problem.hint("the release that it is of has no record in the cluster any more")),
            }
        }
    };
    if of_home(context, project).is_ok_and(|own| own.is_some_and(|own| own.contradicts(&inventory.ledger))) {
        remarks.push(
            "this machine's own ledger says something else: the project was removed and deployed anew from elsewhere, or somebody wrote the cluster's anew"
                .to_owned(),
        );
    }
    known.remarks.splice(0..0, remarks);
    known.lineage = Some(lineage);
    Ok(known)
}

/// The newest record but one's whose workload has the images that run.
fn older(records: &[Record], newest: &str, lineage: &Lineage, runs: &[String]) -> Option<Record> {
    let top = lineage.top()?;
    let is_it = |object: &&Value| object.text("kind") == top.text("kind") && object.name() == top.name();
    let mut others = records.iter().filter(|record| record.id != newest);
    others.find(|record| record.objects.iter().find(is_it).is_some_and(|object| images(object) == runs)).cloned()
}

/// What stands beside an image.
pub async fn of_image(context: &Context, project: &Project, image: &str) -> Result<Known, Problem> {
    let at_hand: Vec<Ledger> = of_home(context, project)?.into_iter().collect();
    beside(context, project, &[image.to_owned()], None, &at_hand).await
}

async fn beside(
    context: &Context,
    project: &Project,
    images: &[String],
    release: Option<&str>,
    at_hand: &[Ledger],
) -> Result<Known, Problem> {
    let references: Vec<Reference> = images.iter().map(|image| crate::registries::reference(image)).collect::<Result<_, Problem>>()?;
    // The engine's own images are in no registry.
    let elsewhere: Vec<Reference> = references.into_iter().filter(|image| image.registry != "localhost").collect();
    if elsewhere.is_empty() {
        return Err(Problem::new(ProblemKind::Target, "its images are in no registry, beside which a record could stand"));
    }
    let found = attest::newest(context, project, &elsewhere, release, at_hand).await?;
    let predicate = found.statement.predicate;
    let ledger = Ledger::of(predicate.entries);
    let books = Books { ledger: &ledger, key: None, place: Place::Registry };
    let mut known = Known::of(predicate.record.id.clone(), images.to_vec(), Some(predicate.record), &books)?;
    if !found.vouched {
        // It agrees with itself, and anybody who may write to the registry can make one that does.
        known.check = Check::NotVerifiable { why: "as the registry says; not in a ledger known here".to_owned() };
    }
    Ok(known)
}

/// What this machine wrote down itself.
pub fn offline(context: &Context, project: &Project, workload: &str) -> Result<Known, Problem> {
    let none = || {
        Problem::new(ProblemKind::Target, format!("this machine has no record of `{workload}` in the project `{}`", project.name()))
            .hint("ask the cluster: leave `--offline` out")
    };
    let ledger = of_home(context, project)?.ok_or_else(none)?;
    let serves = |entry: &&Entry| matches!(entry.event, Event::Deployed | Event::PutBack);
    let release = ledger.entries().iter().rev().find(serves).map(|entry| entry.release.clone()).ok_or_else(none)?;
    let record = context.copies().record(project.name(), &release)?.ok_or_else(none)?;
    let runs = images(meant(&record.objects, workload)?.ok_or_else(none)?);
    Known::of(release, runs, Some(record), &Books { ledger: &ledger, key: None, place: Place::Home })
}

/// The object that a name means; what comes of one, such as a pod, begins with its name.
fn meant<'a>(objects: &'a [Value], workload: &str) -> Result<Option<&'a Value>, Problem> {
    let (kinds, name) = asked(workload)?;
    let runs_pods = |object: &&Value| !images(object).is_empty();
    let exact = |object: &&Value| object.name() == name && kinds.iter().any(|named| named.kind == object.text("kind"));
    let above = |object: &&Value| name.strip_prefix(object.name()).is_some_and(|rest| rest.starts_with('-'));
    let candidates = || objects.iter().filter(runs_pods);
    Ok(candidates().find(exact).or_else(|| candidates().filter(above).max_by_key(|object| object.name().len())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pods_and_jobs_are_found_by_what_their_names_begin_with() {
        let object = |kind: &str, name: &str, image: &str| {
            let spec = json!({"containers": [{"image": image}]});
            let spec = if kind == "CronJob" {
                json!({"jobTemplate": {"spec": {"template": {"spec": spec}}}})
            } else {
                json!({"template": {"spec": spec}})
            };
            json!({"kind": kind, "metadata": {"name": name}, "spec": spec})
        };
        let objects = [
            object("Deployment", "web", "a"),
            object("Deployment", "web-admin", "b"),
            object("StatefulSet", "db", "c"),
            object("CronJob", "nightly", "d"),
            json!({"kind": "Service", "metadata": {"name": "web"}}),
        ];
        for (asked, image) in [
            ("web", "a"),
            ("deployment/web-admin", "b"),
            ("pod/web-5b67-x", "a"),
            ("pod/web-admin-5b67-x", "b"),
            ("db-0", "c"),
            ("sts/db", "c"),
            ("job/nightly-1", "d"),
            ("pod/nightly-1-x", "d"),
            ("cronjob/nightly", "d"),
        ] {
            assert_eq!(meant(&objects, asked).expect("a name").map(images), Some(vec![image.to_owned()]), "{asked}");
        }
        assert_eq!(meant(&objects, "other"), Ok(None));
    }

    #[test]
    fn a_pod_of_the_release_before_is_of_the_record_with_its_images() {
        let deployment = |image: &str| json!({"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": {"containers": [{"image": image}]}}}});
        let record = |id: &str, image: &str| {
            let text = json!({"id": id, "project": "p", "namespace": "p", "created": "2026-01-01T00:00:00Z", "fate": "deployed",
                "notes": {}, "objects": [deployment(image)]});
            serde_json::from_value::<Record>(text).expect("a record")
        };
        let lineage = Lineage { chain: vec![deployment("c")], pods: Vec::new() };
        let records = [record("three", "c"), record("two", "b"), record("one", "a")];
        let of = |image: &str| older(&records, "three", &lineage, &[image.to_owned()]).map(|record| record.id);
        assert_eq!((of("b").as_deref(), of("a").as_deref(), of("c")), (Some("two"), Some("one"), None));
    }
}
