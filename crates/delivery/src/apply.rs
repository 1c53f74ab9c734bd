//! Bringing objects to what a release says, in order, in parallel inside a group; nothing is sent for what stands.

use crate::manifests::{MANAGED_BY, MANAGER, PROJECT, Release};
use crate::order;
use crate::progress::{Change, Listener, Progress};
use base::{Problem, ProblemKind, Timestamp};
use cluster::{Apply, Cluster, Resource};
use futures::{StreamExt, TryStreamExt, stream};
use k8s::apply::{Manager, Operation};
use k8s::{Fields, Value};

/// Requests at a time; each may cost a connection.
const AT_ONCE: usize = 6;

/// An object to be, where it goes, and what stands there now.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) resource: Resource,
    pub(crate) intent: Value,
    pub(crate) live: Option<Value>,
    /// Whether applying would change nothing, once that was worked out.
    pub(crate) stands: Option<bool>,
}

impl Target {
    /// Whether the object is this project's: not there yet, or labelled as its own.
    pub(crate) fn is_ours(&self, project: &str) -> bool {
        let own = |live: &Value| live.label(PROJECT) == Some(project) && live.label(MANAGED_BY) == Some(MANAGER);
        self.live.as_ref().is_none_or(own)
    }

    pub(crate) fn shown(&self) -> String {
        crate::manifests::shown(&self.intent)
    }
}

/// Finds every object's place and reads what stands there.
pub(crate) async fn read(cluster: &Cluster, release: &Release) -> Result<Vec<Target>, Problem> {
    let reads = release.intents.iter().map(|intent| async move {
        let mut object = intent.object.clone();
        let resource = cluster.resource(object.text("apiVersion"), object.text("kind")).await;
        let resource = resource.map_err(|error| placed(error.into(), &intent.place.to_string()))?;
        if resource.namespaced && object.namespace().is_empty() {
            object.set("metadata.namespace", release.namespace.as_str());
        }
        let live = cluster.get(&resource, object.namespace(), object.name()).await?;
        Ok::<Target, Problem>(Target { resource, intent: object, live, stands: None })
    });
    stream::iter(reads).buffered(AT_ONCE).try_collect().await
}

fn placed(mut problem: Problem, place: &str) -> Problem {
    problem.message = format!("{place}: {}", problem.message);
    problem
}

/// What applying did.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    pub(crate) object: Value,
    pub(crate) change: Change,
}

/// How objects are applied.
#[derive(Clone, Copy)]
pub(crate) struct How<'a> {
    pub(crate) force: bool,
    pub(crate) now: Timestamp,
    pub(crate) listener: &'a Listener,
}

/// Works out whether every object stands as it is to be.
pub(crate) fn all_stand(targets: &mut [Target], how: How<'_>) -> bool {
    let judge = |target: &mut Target| {
        let stands = target.live.as_ref().is_some_and(|live| stands(target, live, how));
        target.stands = Some(stands);
        stands
    };
    // Those after the first that does not stand are judged when it is their turn.
    targets.iter_mut().all(judge)
}

/// Applies all targets, group by group.
pub(crate) async fn apply(cluster: &Cluster, targets: &[Target], how: How<'_>) -> Result<Vec<Applied>, Problem> {
    let mut done = Vec::with_capacity(targets.len());
    for group in order::grouped(targets.iter().collect(), |target: &&Target| target.intent.text("kind")) {
        let applies = group.into_iter().map(|target| one(cluster, target, how));
        let applied: Vec<Applied> = stream::iter(applies).buffered(AT_ONCE).try_collect().await?;
        done.extend(applied);
    }
    Ok(done)
}

async fn one(cluster: &Cluster, target: &Target, how: How<'_>) -> Result<Applied, Problem> {
    let applied = match target.live.as_ref().filter(|live| target.stands.unwrap_or_else(|| stands(target, live, how))) {
        Some(live) => Applied { object: live.clone(), change: Change::Unchanged },
        None => {
            let request = Apply { manager: MANAGER, force: how.force, dry_run: false };
            let object = cluster.apply(&target.resource, &target.intent, &request).await.map_err(|error| refused(target, error))?;
            let change = match &target.live {
                None => Change::Created,
                Some(live) if live.resource_version() == object.resource_version() => Change::Unchanged,
                Some(_) => Change::Changed,
            };
            Applied { object, change }
        }
    };
    (how.listener)(Progress::Object { object: target.shown(), change: applied.change });
    Ok(applied)
}

// Whether applying would change nothing, worked out here as the server would.
fn stands(target: &Target, live: &Value, how: How<'_>) -> bool {
    let Some(known) = target.resource.known() else { return false };
    if live.is_terminating() {
        return false;
    }
    let api_version = known.api_version();
    let ignored: &[&str] = if known.has_status { &["status"] } else { &[] };
    let manager =
        Manager { name: MANAGER, operation: Operation::Apply, api_version: &api_version, subresource: "", time: how.now, ignored };
    k8s::apply::apply(known.schema, Some(live), &target.intent, &manager, how.force).is_ok_and(|made| made == *live)
}

fn refused(target: &Target, error: cluster::Error) -> Problem {
    let shown = target.shown();
    match error.api().map(|refusal| (refusal.code, refusal.reason)) {
        Some((409, "Conflict")) => Problem::new(ProblemKind::Target, format!("{shown}: {error}"))
            .hint("another tool owns these fields; take them over with `--force`, or leave them out of the manifests"),
        Some(_) => Problem::new(ProblemKind::Target, format!("{shown}: {error}")),
        None => error.into(),
    }
}
