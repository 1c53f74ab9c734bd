//! Everything that a project made goes, and a listing proves it.

use crate::deploy::Delivery;
use crate::inventory::{Entry, Inventory, Phase};
use crate::manifests::{MANAGED_BY, MANAGER, PROJECT};
use crate::order;
use crate::progress::{Change, Progress};
use crate::prune;
use crate::records::{Record, is_bookkeeping};
use base::{Problem, ProblemKind};
use cluster::{Cluster, Resource, Selection};
use futures::{StreamExt, TryStreamExt, stream};
use k8s::{Fields, Value};
use std::time::Duration;

/// How everything is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DownOptions {
    /// Its data too.
    pub volumes: bool,
    /// For how long to wait.
    pub patience: Duration,
}

impl Default for DownOptions {
    fn default() -> Self {
        Self { volumes: false, patience: Duration::from_secs(180) }
    }
}

/// What is left of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Downed {
    /// What was removed.
    pub removed: Vec<String>,
    /// What stays, and why.
    pub kept: Vec<(String, String)>,
}

const AT_ONCE: usize = 6;
const FIRST_LOOK: Duration = Duration::from_millis(20);
/// What is gone within it is no news.
const MOMENT: Duration = Duration::from_secs(1);
const SLOWEST_LOOK: Duration = Duration::from_millis(500);

impl Delivery {
    /// Removes all that a project made, waits until it is gone, and proves it by listing what carries its label.
    ///
    /// # Errors
    /// When another run deploys the project, the cluster refuses, or something is still there after the time given.
    pub async fn down(&self, namespace: &str, project: &str, options: &DownOptions) -> Result<Downed, Problem> {
        // In a namespace that is going nothing can be made, and nobody else can deploy there.
        let there = self.cluster.get(&Resource::from(k8s::kinds::NAMESPACE), "", namespace).await?;
        if there.is_some_and(|namespace| !namespace.is_terminating()) {
            self.take_hold(namespace, project).await?;
        }
        let downed = self.remove_all(namespace, project, options).await;
        self.let_go().await;
        downed
    }

    async fn remove_all(&self, namespace: &str, project: &str, options: &DownOptions) -> Result<Downed, Problem> {
        let mut inventory = Inventory::load(&self.cluster, namespace, project).await?;
        for object in labelled(&self.cluster, project).await? {
            // What carries the label and is not in the inventory is of a run that was killed, and made by us.
            inventory.remember(Entry::of(&object, true));
        }
        if inventory.entries.is_empty() {
            Inventory::remove(&self.cluster, namespace, project).await?;
            return Ok(Downed::default());
        }
        let (gone, kept) = split(&inventory, options);
        let in_namespace = |entry: &Entry| entry.kind == "Namespace" && entry.name == namespace;
        let keeps_namespace = !gone.iter().any(in_namespace);
        if keeps_namespace && inventory.phase != Phase::Empty {
            inventory.phase = Phase::Leaving;
            inventory.save(&self.cluster, namespace).await?;
        }
        let mut downed = Downed { removed: Vec::new(), kept };
        let (namespaces, others): (Vec<Entry>, Vec<Entry>) = gone.into_iter().partition(|entry| entry.kind == "Namespace");
        for group in [others, namespaces] {
            self.remove_group(&group, project, &mut downed).await?;
            self.wait_until_gone(&group, project, options).await?;
        }
        if keeps_namespace {
            self.close_books(inventory, namespace, options, &downed).await?;
        }
        self.prove(project, &downed).await?;
        Ok(downed)
    }

    async fn remove_group(&self, group: &[Entry], project: &str, downed: &mut Downed) -> Result<(), Problem> {
        let removals = group.iter().map(|entry| async move { Ok::<_, Problem>((entry, prune::remove(self, entry, project).await?)) });
        let removed: Vec<(&Entry, bool)> = stream::iter(removals).buffered(AT_ONCE).try_collect().await?;
        for (entry, _) in removed.into_iter().filter(|(_, removed)| *removed) {
            (self.listener)(Progress::Object { object: entry.to_string(), change: Change::Pruned });
            downed.removed.push(entry.to_string());
        }
        Ok(())
    }

    async fn wait_until_gone(&self, group: &[Entry], project: &str, options: &DownOptions) -> Result<(), Problem> {
        let begun = self.clock.now();
        let mut pause = FIRST_LOOK;
        let (mut left, mut told): (Vec<&Entry>, usize) = (group.iter().collect(), 0);
        loop {
            let looks = left.iter().map(|entry| async move { Ok::<_, Problem>((*entry, self.is_there(entry, project).await?)) });
            let looked: Vec<(&Entry, bool)> = stream::iter(looks).buffered(AT_ONCE).try_collect().await?;
            left = looked.into_iter().filter(|(_, there)| *there).map(|(entry, _)| entry).collect();
            if left.is_empty() {
                return Ok(());
            }
            if self.clock.now().since(begun) > options.patience {
                let names: Vec<String> = left.iter().map(|entry| format!("`{entry}`")).collect();
                let message = format!("still there after {} s: {}", options.patience.as_secs(), names.join(", "));
                return Err(Problem::new(ProblemKind::Target, message).hint("a finalizer may hold it; see `metadata.finalizers`"));
            }
            if told != left.len() && self.clock.now().since(begun) > MOMENT {
                told = left.len();
                (self.listener)(Progress::Leaving { left: left.iter().map(ToString::to_string).collect() });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(SLOWEST_LOOK);
        }
    }

    // Pods outlive what owns them for as long as they take to end; they count as part of it.
    async fn is_there(&self, entry: &Entry, project: &str) -> Result<bool, Problem> {
        let resource = match self.cluster.resource(&entry.api_version, &entry.kind).await {
            Ok(resource) => resource,
            Err(cluster::Error::UnknownKind { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let live = self.cluster.get(&resource, &entry.namespace, &entry.name).await?;
        if live.is_some_and(|live| live.label(PROJECT) == Some(project)) {
            return Ok(true);
        }
        if !matches!(entry.kind.as_str(), "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job") {
            return Ok(false);
        }
        let selection = Selection::namespace(entry.namespace.as_str()).labels(format!("{PROJECT}={project}"));
        let pods = self.cluster.list(&Resource::from(k8s::kinds::POD), &selection).await?;
        let prefix = format!("{}-", entry.name);
        Ok(pods
            .items
            .iter()
            .any(|pod| pod.controller().is_some_and(|owner| owner.text("name") == entry.name || owner.text("name").starts_with(&prefix))))
    }

    async fn close_books(&self, mut inventory: Inventory, namespace: &str, options: &DownOptions, downed: &Downed) -> Result<(), Problem> {
        let project = inventory.project.clone();
        let keeps_data = downed.kept.iter().any(|(name, _)| inventory.entries.iter().any(|entry| entry.made && entry.to_string() == *name));
        if options.volumes || !keeps_data {
            Record::remove_all(&self.cluster, namespace, &project).await?;
            return Inventory::remove(&self.cluster, namespace, &project).await;
        }
        inventory.entries.retain(|entry| downed.kept.iter().any(|(name, _)| entry.to_string() == *name));
        (inventory.phase, inventory.current, inventory.previous, inventory.target) = (Phase::Empty, None, None, None);
        Record::remove_all(&self.cluster, namespace, &project).await?;
        inventory.save(&self.cluster, namespace).await
    }

    async fn prove(&self, project: &str, downed: &Downed) -> Result<(), Problem> {
        let left: Vec<String> = labelled(&self.cluster, project).await?.iter().map(crate::manifests::shown).collect();
        let unexplained: Vec<&String> = left.iter().filter(|name| !downed.kept.iter().any(|(kept, _)| kept == *name)).collect();
        if unexplained.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = unexplained.iter().map(|name| format!("`{name}`")).collect();
        Err(Problem::new(ProblemKind::Target, format!("these still carry the project's label: {}", names.join(", ")))
            .hint("run `wharf down` again"))
    }
}

fn split(inventory: &Inventory, options: &DownOptions) -> (Vec<Entry>, Vec<(String, String)>) {
    let mut kept = Vec::new();
    let holds = |entry: &Entry| order::holds_data(&entry.kind) && !options.volumes && entry.made;
    let data_in = |namespace: &str| inventory.entries.iter().any(|entry| entry.namespace == namespace && holds(entry));
    let mut gone: Vec<Entry> = Vec::new();
    for entry in &inventory.entries {
        let why = if !entry.made {
            "it was there before Wharf came"
        } else if holds(entry) {
            "it holds data; `wharf down --volumes` removes it"
        } else if entry.kind == "Namespace" && data_in(&entry.name) {
            "data that is kept is in it"
        } else {
            gone.push(entry.clone());
            continue;
        };
        kept.push((entry.to_string(), why.to_owned()));
    }
    gone.sort_by_key(|entry| std::cmp::Reverse(order::group_of(&entry.kind)));
    (gone, kept)
}

/// Every object of a kind that Wharf knows that carries a project's labels, but for its bookkeeping.
pub(crate) async fn labelled(cluster: &Cluster, project: &str) -> Result<Vec<Value>, Problem> {
    let selection = Selection::default().labels(format!("{PROJECT}={project},{MANAGED_BY}={MANAGER}"));
    let selection = &selection;
    // Kinds that controllers make from others are not of manifests.
    let derived = ["Event", "Endpoints", "EndpointSlice", "ControllerRevision", "Node", "Lease"];
    let kinds = k8s::KINDS.iter().filter(|kind| !derived.contains(&kind.kind));
    let lists = kinds.map(|kind| async move {
        match cluster.list(&Resource::from(*kind), selection).await {
            Ok(list) => Ok(list.items),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(Problem::from(error)),
        }
    });
    let lists: Vec<Vec<Value>> = stream::iter(lists).buffered(AT_ONCE).try_collect().await?;
    Ok(lists.into_iter().flatten().filter(|object| !is_bookkeeping(object)).collect())
}
