//! What no manifest names any more goes; only what Wharf made, and never data.

use crate::deploy::Delivery;
use crate::inventory::{Entry, Inventory};
use crate::manifests::PROJECT;
use crate::order;
use crate::progress::{Change, Progress};
use base::Problem;
use cluster::Delete;
use k8s::Fields;

/// What became of objects that are no longer wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pruned {
    pub(crate) gone: Vec<String>,
    pub(crate) kept: Vec<(String, String)>,
}

/// The entries that a release does not name: those to remove, in the order of removing, and those to keep, with why.
pub(crate) fn surplus(inventory: &Inventory, wanted: &[Entry]) -> (Vec<Entry>, Vec<(Entry, &'static str)>) {
    // One in a cluster-wide kind that is not known may stand with or without a namespace.
    let is_wanted = |entry: &Entry| {
        wanted.iter().any(|one| {
            one.same(entry)
                || entry.namespace.is_empty() && one.kind == entry.kind && one.name == entry.name && one.api_version == entry.api_version
        })
    };
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for entry in inventory.entries.iter().filter(|entry| !is_wanted(entry)) {
        if !entry.made {
            kept.push((entry.clone(), "it was there before Wharf came"));
        } else if order::holds_data(&entry.kind) {
            kept.push((entry.clone(), "it holds data; `wharf down --volumes` removes it"));
        } else if entry.kind == "Namespace"
            && inventory.entries.iter().any(|other| other.namespace == entry.name && (is_wanted(other) || order::holds_data(&other.kind)))
        {
            kept.push((entry.clone(), "objects of the project are in it"));
        } else {
            gone.push(entry.clone());
        }
    }
    gone.sort_by_key(|entry| std::cmp::Reverse(order::group_of(&entry.kind)));
    (gone, kept)
}

/// Removes what the release does not name.
pub(crate) async fn prune(delivery: &Delivery, inventory: &mut Inventory, namespace: &str, wanted: &[Entry]) -> Result<Pruned, Problem> {
    let (gone, kept) = surplus(inventory, wanted);
    let mut pruned = Pruned::default();
    for (entry, why) in kept {
        (delivery.listener)(Progress::Kept { object: entry.to_string(), why: why.to_owned() });
        pruned.kept.push((entry.to_string(), why.to_owned()));
    }
    for entry in gone {
        if remove(delivery, &entry, &inventory.project).await? {
            (delivery.listener)(Progress::Object { object: entry.to_string(), change: Change::Pruned });
            pruned.gone.push(entry.to_string());
        }
        inventory.forget(&entry);
    }
    if !pruned.gone.is_empty() {
        inventory.save(&delivery.cluster, namespace).await?;
    }
    Ok(pruned)
}

/// Removes one object if it is still the project's; true when something was removed.
pub(crate) async fn remove(delivery: &Delivery, entry: &Entry, project: &str) -> Result<bool, Problem> {
    let resource = match delivery.cluster.resource(&entry.api_version, &entry.kind).await {
        Ok(resource) => resource,
        // The kind itself is gone, and its objects with it.
        Err(cluster::Error::UnknownKind { .. }) => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let Some(live) = delivery.cluster.get(&resource, &entry.namespace, &entry.name).await? else { return Ok(false) };
    if live.label(PROJECT) != Some(project) {
        return Ok(false);
    }
    let how = Delete { uid: Some(live.uid().to_owned()), ..Delete::default() };
    Ok(delivery.cluster.delete(&resource, &entry.namespace, &entry.name, &how).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: &str, namespace: &str, name: &str, made: bool) -> Entry {
        Entry { api_version: "v1".to_owned(), kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned(), made }
    }

    #[test]
    fn only_our_own_goes_and_never_data() {
        let entries = vec![
            entry("Namespace", "", "jobs", true),
            entry("ConfigMap", "jobs", "old", true),
            entry("ConfigMap", "jobs", "theirs", false),
            entry("PersistentVolumeClaim", "jobs", "data", true),
            entry("Service", "jobs", "old", true),
            entry("Service", "jobs", "web", true),
        ];
        let inventory = Inventory { entries, ..Inventory::default() };
        let (gone, kept) = surplus(&inventory, &[entry("Service", "jobs", "web", true)]);
        assert_eq!(gone.iter().map(ToString::to_string).collect::<Vec<_>>(), ["Service jobs/old", "ConfigMap jobs/old"]);
        assert_eq!(
            kept.iter().map(|(entry, _)| entry.to_string()).collect::<Vec<_>>(),
            ["Namespace jobs", "ConfigMap jobs/theirs", "PersistentVolumeClaim jobs/data"]
        );
    }
}
