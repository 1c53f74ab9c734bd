//! Watches a cluster and drives a rollout to its end.

use crate::last_lines::last_lines;
use crate::progress::{Listener, Progress};
use crate::rollout::{Action, Cause, Patience, Rollout, Workload};
use crate::world::{LogOf, World};
use crate::{manifests::PROJECT, order};
use base::{Clock, Problem};
use cluster::{Cluster, Event, Resource, Selection};
use futures::StreamExt;
use k8s::{Fields, Value, kinds};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How often time alone is looked at.
const TICK: Duration = Duration::from_millis(250);
/// Pause before a broken watch is begun anew.
const AGAIN: Duration = Duration::from_millis(300);
/// Watches that fail for so long mean that the cluster cannot be reached.
const LOST: Duration = Duration::from_secs(30);

enum News {
    Listed {
        kind: String,
        namespace: String,
        items: Vec<Value>,
    },
    Changed(Event),
    Log(LogOf, Vec<String>),
    Broken(cluster::Error),
    /// What only explains may not be read.
    Unexplained(cluster::Error),
    Whole,
}

/// What is followed for what.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    /// A rollout is judged by it.
    Judging,
    /// It says why, and that it cannot be read is told.
    Explaining,
    /// It says why in a few cases; many may not read it, and nobody needs to know.
    Hinting,
}

/// What to track, and how.
pub(crate) struct Tracking<'a> {
    pub(crate) cluster: &'a Cluster,
    pub(crate) project: &'a str,
    /// Workloads as the apply returned them.
    pub(crate) workloads: Vec<Value>,
    pub(crate) patience: Patience,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) listener: &'a Listener,
}

/// Waits until all workloads serve, or one will not.
pub(crate) async fn track(tracking: Tracking<'_>) -> Result<Result<(), Cause>, Problem> {
    let workloads: Vec<&Value> = tracking.workloads.iter().filter(|object| order::is_workload(object)).collect();
    let mut world = World::default();
    workloads.iter().for_each(|object| world.put((*object).clone()));
    let mut rollout = Rollout::new(workloads.iter().map(|object| Workload::of(object)), tracking.patience, tracking.clock.now());
    let (sender, mut news) = mpsc::channel::<News>(256);
    let mut tasks = JoinSet::new();
    let mut broken_since = None;
    let (mut watching, mut told) = (false, false);
    loop {
        let (next, actions) = rollout.step(&world, tracking.clock.now());
        rollout = next;
        for action in actions {
            match action {
                Action::Tell(progress) => (tracking.listener)(progress),
                Action::Fetch(log) => drop(tasks.spawn(fetch(tracking.cluster.clone(), log, sender.clone()))),
                Action::Succeed => return Ok(Ok(())),
                Action::Fail(cause) => return Ok(Err(cause)),
            }
        }
        if !watching {
            watch_all(&tracking, &workloads, &sender, &mut tasks);
            watching = true;
        }
        let Ok(Some(first)) = tokio::time::timeout(TICK, news.recv()).await else { continue };
        let mut next = Some(first);
        while let Some(item) = next {
            match item {
                News::Broken(error) => {
                    let now = tracking.clock.now();
                    if now.since(*broken_since.get_or_insert(now)) > LOST
                        || !error.is_passing() && error.api().is_none_or(|refusal| refusal.code != 410)
                    {
                        return Err(error.into());
                    }
                }
                News::Whole => broken_since = None,
                News::Unexplained(error) => {
                    if !std::mem::replace(&mut told, true) {
                        let message = format!("a failure will be told without what events say: {error}");
                        (tracking.listener)(Progress::Noted { severity: base::Severity::Warning, message });
                    }
                }
                other => take_in(&mut world, other),
            }
            next = news.try_recv().ok();
        }
    }
}

fn take_in(world: &mut World, news: News) {
    match news {
        News::Listed { kind, namespace, items } => {
            world.clear(&kind, &namespace);
            items.into_iter().for_each(|item| world.put(item));
        }
        News::Changed(Event::Applied(object)) => world.put(object),
        News::Changed(Event::Deleted(object)) => world.remove(&object),
        News::Log(log, lines) => world.put_log(log, lines),
        News::Changed(Event::Bookmark(_)) | News::Broken(_) | News::Unexplained(_) | News::Whole => {}
    }
}

fn watch_all(tracking: &Tracking<'_>, workloads: &[&Value], sender: &mpsc::Sender<News>, tasks: &mut JoinSet<()>) {
    let mut wanted: BTreeSet<(Resource, String)> = BTreeSet::new();
    let mut explaining: BTreeSet<(&str, &str)> = BTreeSet::new();
    for workload in workloads {
        let namespace = workload.namespace().to_owned();
        for kind in [kinds::POD, kinds::REPLICA_SET, kinds::EVENT] {
            wanted.insert((Resource::from(kind), namespace.clone()));
        }
        if let Some(resource) = resource_of(workload) {
            wanted.insert((resource, namespace));
        }
    }
    for (resource, namespace) in wanted {
        let (selection, why) = match resource.kind.as_str() {
            "Event" => (Selection::namespace(namespace).fields("type=Warning"), For::Explaining),
            _ => (Selection::namespace(namespace).labels(format!("{PROJECT}={}", tracking.project)), For::Judging),
        };
        tasks.spawn(follow(tracking.cluster.clone(), resource, selection, sender.clone(), why));
    }
    // Claims only explain: who may not read them is told less, and no rollout fails by it.
    for workload in workloads.iter().filter(|workload| claims_storage(workload)) {
        for (kind, namespace) in [(kinds::PERSISTENT_VOLUME_CLAIM, workload.namespace()), (kinds::STORAGE_CLASS, "")] {
            if explaining.insert((kind.kind, namespace)) {
                tasks.spawn(follow(tracking.cluster.clone(), kind.into(), Selection::namespace(namespace), sender.clone(), For::Hinting));
            }
        }
    }
}

fn claims_storage(workload: &Value) -> bool {
    let volumes = ["spec.template.spec.volumes", "spec.volumes"].into_iter().flat_map(|path| workload.items(path));
    !workload.items("spec.volumeClaimTemplates").is_empty()
        || volumes.into_iter().any(|volume| volume.at("persistentVolumeClaim").is_some() || volume.at("ephemeral").is_some())
}

// Workloads outside our own table are the ordinary ones of `apps/v1` and `batch/v1`; their plural is regular.
fn resource_of(workload: &Value) -> Option<Resource> {
    let (api_version, kind) = (workload.text("apiVersion"), workload.text("kind"));
    if let Some(known) = kinds::find(api_version, kind) {
        return Some(known.into());
    }
    let (group, version) = api_version.rsplit_once('/')?;
    let plural = format!("{}s", kind.to_lowercase());
    Some(Resource { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned(), plural, namespaced: true })
}

async fn follow(cluster: Cluster, resource: Resource, selection: Selection, sender: mpsc::Sender<News>, why: For) {
    loop {
        if let Err(error) = follow_once(&cluster, &resource, &selection, &sender).await {
            let refused = error.api().is_some_and(|refusal| matches!(refusal.code, 401 | 403 | 404));
            let news = match why {
                For::Judging => Some(News::Broken(error)),
                For::Explaining if refused => Some(News::Unexplained(error)),
                For::Explaining | For::Hinting => None,
            };
            if let Some(news) = news
                && sender.send(news).await.is_err()
            {
                return;
            }
            // Who may not read it now may not in a moment either.
            if refused && why != For::Judging {
                return;
            }
        }
        if sender.is_closed() {
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn follow_once(cluster: &Cluster, resource: &Resource, selection: &Selection, sender: &mpsc::Sender<News>) -> cluster::Result<()> {
    let list = cluster.list(resource, selection).await?;
    let listed = News::Listed { kind: resource.kind.clone(), namespace: selection.namespace.clone(), items: list.items };
    if sender.send(listed).await.is_err() || sender.send(News::Whole).await.is_err() {
        return Ok(());
    }
    let mut events = cluster.watch(resource, selection, &list.resource_version).await?;
    while let Some(event) = events.next().await {
        if sender.send(News::Changed(event?)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

async fn fetch(cluster: Cluster, log: LogOf, sender: mpsc::Sender<News>) {
    let lines = last_lines(&cluster, &log).await;
    let _ = sender.send(News::Log(log, lines)).await;
}
