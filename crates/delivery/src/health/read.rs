//! Reads what a project has, and what explains what is the matter with it.

use super::{Health, Standing, judge};
use crate::deploy::Delivery;
use crate::inventory::{Entry, Inventory};
use crate::last_lines::last_lines;
use crate::rollout::explain;
use crate::world::World;
use base::Problem;
use cluster::{Cluster, Resource, Selection};
use futures::{StreamExt, TryStreamExt, stream};
use k8s::{Fields, Value, kinds};
use std::collections::BTreeSet;

/// A kind that is looked at whoever made its objects.
struct Listed {
    group: &'static str,
    kind: &'static str,
    plural: &'static str,
    /// Whether nothing can be said without it; others may be unknown to a cluster, or not for everybody to list.
    needed: bool,
}

const LISTED: &[Listed] = &[
    Listed { group: "apps", kind: "Deployment", plural: "deployments", needed: true },
    Listed { group: "apps", kind: "StatefulSet", plural: "statefulsets", needed: false },
    Listed { group: "apps", kind: "DaemonSet", plural: "daemonsets", needed: false },
    Listed { group: "apps", kind: "ReplicaSet", plural: "replicasets", needed: false },
    Listed { group: "batch", kind: "Job", plural: "jobs", needed: false },
    Listed { group: "batch", kind: "CronJob", plural: "cronjobs", needed: false },
    Listed { group: "", kind: "Pod", plural: "pods", needed: true },
    Listed { group: "", kind: "Service", plural: "services", needed: true },
    Listed { group: "", kind: "PersistentVolumeClaim", plural: "persistentvolumeclaims", needed: true },
];

impl Listed {
    fn resource(&self) -> Resource {
        Resource {
            group: self.group.to_owned(),
            version: "v1".to_owned(),
            kind: self.kind.to_owned(),
            plural: self.plural.to_owned(),
            namespaced: true,
        }
    }
}

/// Requests at a time.
const AT_ONCE: usize = 6;
/// Objects whose causes are looked for.
const EXPLAINED: usize = 50;

impl Delivery {
    /// How all that a project has stands now, and why not.
    ///
    /// # Errors
    /// When the cluster refuses, or cannot be reached.
    pub async fn health(&self, namespace: &str, project: &str) -> Result<Health, Problem> {
        let inventory = Inventory::load(&self.cluster, namespace, project).await?;
        self.health_of(namespace, &inventory).await
    }

    /// The same where the inventory was read already.
    ///
    /// # Errors
    /// When the cluster refuses, or cannot be reached.
    pub async fn health_of(&self, namespace: &str, inventory: &Inventory) -> Result<Health, Problem> {
        let wanted = &inventory.entries;
        let found = find(&self.cluster, namespace, wanted).await?;
        let mut standings = judge(wanted, &found, self.clock.now());
        if standings.iter().any(|standing| !standing.well) {
            let world = explaining(&self.cluster, namespace, &found).await;
            add_causes(&self.cluster, &mut standings, &world).await;
        }
        Ok(Health { standings })
    }
}

/// Every object of the listed kinds in the project's namespace; elsewhere the project's own and what came of them.
async fn find(cluster: &Cluster, namespace: &str, wanted: &[Entry]) -> Result<Vec<Value>, Problem> {
    let mut namespaces: BTreeSet<&str> = wanted.iter().filter(|entry| is_listed(entry)).map(|entry| entry.namespace.as_str()).collect();
    namespaces.insert(namespace);
    let lists = namespaces.iter().flat_map(|within| LISTED.iter().map(move |kind| list(cluster, kind, within)));
    let listed: Vec<Vec<Value>> = stream::iter(lists).buffered(AT_ONCE).try_collect().await?;
    let mut found: Vec<Value> = listed.into_iter().flatten().collect();
    keep_ours(&mut found, namespace, wanted);
    let others = wanted.iter().filter(|entry| !found.iter().any(|object| Entry::of(object, true).same(entry)));
    let got: Vec<Option<Value>> = stream::iter(others.map(|entry| get(cluster, entry))).buffered(AT_ONCE).try_collect().await?;
    found.extend(got.into_iter().flatten());
    Ok(found)
}

fn is_listed(entry: &Entry) -> bool {
    let is_of = |listed: &Listed| match listed.group {
        "" => entry.api_version == "v1",
        group => entry.api_version.strip_prefix(group) == Some("/v1"),
    };
    LISTED.iter().any(|listed| listed.kind == entry.kind && is_of(listed))
}

async fn list(cluster: &Cluster, listed: &Listed, namespace: &str) -> Result<Vec<Value>, Problem> {
    match cluster.list(&listed.resource(), &Selection::namespace(namespace)).await {
        Ok(list) => Ok(list.items),
        // Who may not list them has none of them; those of the inventory are asked for one by one.
        Err(error) if !listed.needed && error.api().is_some_and(|refusal| matches!(refusal.code, 403 | 404)) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

async fn get(cluster: &Cluster, entry: &Entry) -> Result<Option<Value>, Problem> {
    let resource = match cluster.resource(&entry.api_version, &entry.kind).await {
        Ok(resource) => resource,
        // With the kind its objects went.
        Err(cluster::Error::UnknownKind { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(cluster.get(&resource, &entry.namespace, &entry.name).await?)
}

fn keep_ours(found: &mut Vec<Value>, namespace: &str, wanted: &[Entry]) {
    let named = |object: &Value| object.namespace() == namespace || wanted.iter().any(|entry| entry.same(&Entry::of(object, true)));
    let mut ours: BTreeSet<String> = found.iter().filter(|object| named(object)).map(|object| object.uid().to_owned()).collect();
    // From a CronJob to its Jobs to their pods: no way is longer than the kinds are many.
    for _ in 0..LISTED.len() {
        let owned = |object: &&Value| object.controller().is_some_and(|by| ours.contains(by.text("uid")));
        let more: Vec<String> = found.iter().filter(owned).map(|object| object.uid().to_owned()).collect();
        ours.extend(more);
    }
    found.retain(|object| ours.contains(object.uid()));
}

/// What is found, and the warnings about it; who may not read those is told less.
async fn explaining(cluster: &Cluster, namespace: &str, found: &[Value]) -> World {
    let mut world = World::default();
    let mut namespaces: BTreeSet<&str> = found.iter().map(Value::namespace).filter(|namespace| !namespace.is_empty()).collect();
    namespaces.insert(namespace);
    for within in &namespaces {
        for kind in LISTED {
            world.clear(kind.kind, within);
        }
    }
    found.iter().for_each(|object| world.put(object.clone()));
    for within in namespaces {
        let warnings = Selection::namespace(within).fields("type=Warning");
        if let Ok(list) = cluster.list(&kinds::EVENT.into(), &warnings).await {
            list.items.into_iter().for_each(|event| world.put(event));
        }
    }
    if let Ok(classes) = cluster.list(&kinds::STORAGE_CLASS.into(), &Selection::default()).await {
        world.clear("StorageClass", "");
        classes.items.into_iter().for_each(|class| world.put(class));
    }
    world
}

async fn add_causes(cluster: &Cluster, standings: &mut [Standing], world: &World) {
    let ill = standings.iter_mut().filter(|standing| !standing.well).take(EXPLAINED);
    let explained = ill.filter_map(|standing| {
        let object = world.get(&standing.kind, &standing.namespace, &standing.name)?;
        let explanation = explain(object, world)?;
        Some(async move {
            let lines = match explanation.log() {
                Some(log) => last_lines(cluster, log).await,
                None => Vec::new(),
            };
            standing.cause = Some(explanation.message(&lines));
        })
    });
    stream::iter(explained).for_each_concurrent(AT_ONCE, |explained| explained).await;
}
