//! From what runs to what it comes of, by owner references: a pod, its ReplicaSet, its Deployment.

use base::{Problem, ProblemKind};
use cluster::{Cluster, Resource, Selection};
use k8s::{Fields, Value};

/// A kind that can be asked for by name.
pub struct Named {
    group: &'static str,
    /// Such as `Deployment`.
    pub kind: &'static str,
    plural: &'static str,
    short: &'static str,
}

/// In the order in which a bare name is looked for.
pub const NAMED: &[Named] = &[
    Named { group: "apps", kind: "Deployment", plural: "deployments", short: "deploy" },
    Named { group: "apps", kind: "StatefulSet", plural: "statefulsets", short: "sts" },
    Named { group: "apps", kind: "DaemonSet", plural: "daemonsets", short: "ds" },
    Named { group: "batch", kind: "CronJob", plural: "cronjobs", short: "cj" },
    Named { group: "batch", kind: "Job", plural: "jobs", short: "job" },
    Named { group: "apps", kind: "ReplicaSet", plural: "replicasets", short: "rs" },
    Named { group: "", kind: "Pod", plural: "pods", short: "po" },
];

/// Owners above one another: CronJob, Job, Pod are three; operators of others add some.
const DEEPEST: usize = 8;

impl Named {
    fn resource(&self) -> Resource {
        let (group, version) = (self.group.to_owned(), "v1".to_owned());
        Resource { group, version, kind: self.kind.to_owned(), plural: self.plural.to_owned(), namespaced: true }
    }

    fn is_called(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        word == self.kind.to_lowercase() || word == self.plural || word == self.short
    }
}

/// What was asked for, and what it comes of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lineage {
    /// What was asked for first, then its owner, and so on; never empty.
    pub chain: Vec<Value>,
    /// The pods that came of it, the oldest first; of a pod itself.
    pub pods: Vec<Value>,
}

/// The kinds that a name may mean, and the name without the kind.
///
/// # Errors
/// When the kind is none that runs pods.
pub fn asked(workload: &str) -> Result<(Vec<&'static Named>, &str), Problem> {
    let Some((kind, name)) = workload.split_once('/') else { return Ok((NAMED.iter().collect(), workload)) };
    let named = NAMED.iter().find(|named| named.is_called(kind)).ok_or_else(|| {
        let known: Vec<String> = NAMED.iter().map(|named| format!("{}/NAME", named.kind.to_lowercase())).collect();
        Problem::new(ProblemKind::Usage, format!("`{kind}` is no kind of workload")).hint(format!("use {}", known.join(", ")))
    })?;
    Ok((vec![named], name))
}

impl Lineage {
    /// What a name means in a namespace, with everything above it and the pods below it.
    ///
    /// # Errors
    /// When there is nothing of that name, or the cluster refuses.
    pub async fn of(cluster: &Cluster, namespace: &str, workload: &str) -> Result<Self, Problem> {
        let (kinds, name) = asked(workload)?;
        let mut found = None;
        for named in kinds {
            if let Some(object) = get(cluster, &named.resource(), namespace, name).await? {
                found = Some(object);
                break;
            }
        }
        let Some(found) = found else { return Err(unknown(cluster, namespace, workload).await) };
        let mut chain = vec![found];
        while let Some(owner) = owner(cluster, namespace, chain.last()).await?.filter(|_| chain.len() < DEEPEST) {
            chain.push(owner);
        }
        let mut all = Vec::new();
        for named in NAMED.iter().filter(|named| matches!(named.kind, "Job" | "ReplicaSet" | "Pod")) {
            all.extend(list(cluster, named, namespace).await?);
        }
        let pods = chain.first().map(|asked| below(asked, &all)).unwrap_or_default();
        Ok(Self { chain, pods })
    }

    /// The first that nothing owns, which is what was deployed.
    pub fn top(&self) -> Option<&Value> {
        self.chain.last()
    }

    /// Such as `Pod web-1-x, of ReplicaSet web-1, of Deployment web`.
    pub fn shown(&self) -> String {
        let names: Vec<String> = self.chain.iter().map(|object| format!("{} {}", object.text("kind"), object.name())).collect();
        names.join(", of ")
    }
}

/// No such workload; the names of those that there are, where they can be told.
async fn unknown(cluster: &Cluster, namespace: &str, workload: &str) -> Problem {
    let mut names = Vec::new();
    for named in NAMED.iter().filter(|named| !matches!(named.kind, "ReplicaSet" | "Pod")) {
        let listed = cluster.list(&named.resource(), &Selection::namespace(namespace)).await.map(|list| list.items).unwrap_or_default();
        names.extend(listed.iter().filter(|object| object.controller().is_none()).map(|object| object.name().to_owned()));
    }
    let problem = Problem::new(ProblemKind::Target, format!("there is no workload `{workload}` in namespace {namespace}"));
    if names.is_empty() {
        problem.hint("`wharf status` shows what there is")
    } else {
        problem.hint(format!("there are: {}", names.join(", ")))
    }
}

/// An object; one of a kind that the cluster does not serve, or does not show, is not there.
async fn get(cluster: &Cluster, resource: &Resource, namespace: &str, name: &str) -> Result<Option<Value>, Problem> {
    let got = cluster.get(resource, namespace, name).await;
    let mut object = match got {
        Err(error) if error.api().is_some_and(|refusal| refusal.code == 403) => None,
        got => got.map_err(crate::workloads::problem)?,
    };
    if let Some(object) = &mut object {
        object.set("kind", resource.kind.as_str());
    }
    Ok(object)
}

/// All of a kind; what stands between may be unknown to the cluster or not for everybody to list, pods may not.
async fn list(cluster: &Cluster, named: &Named, namespace: &str) -> Result<Vec<Value>, Problem> {
    match cluster.list(&named.resource(), &Selection::namespace(namespace)).await {
        Err(error) if named.kind != "Pod" && error.api().is_some_and(|refusal| matches!(refusal.code, 403 | 404)) => Ok(Vec::new()),
        listed => Ok(listed.map_err(crate::workloads::problem)?.items),
    }
}

/// What an object is controlled by, where that is still the same and there.
async fn owner(cluster: &Cluster, namespace: &str, object: Option<&Value>) -> Result<Option<Value>, Problem> {
    let Some(by) = object.and_then(|object| object.controller()) else { return Ok(None) };
    let resource = match cluster.resource(by.text("apiVersion"), by.text("kind")).await {
        Ok(resource) => resource,
        Err(cluster::Error::UnknownKind { .. }) => return Ok(None),
        Err(error) => return Err(crate::workloads::problem(error)),
    };
    let within = if resource.namespaced { namespace } else { "" };
    let found = get(cluster, &resource, within, by.text("name")).await?;
    Ok(found.filter(|found| found.uid() == by.text("uid")))
}

/// The pods that came of an object, by way of whatever stands between.
fn below(asked: &Value, all: &[Value]) -> Vec<Value> {
    if asked.text("kind") == "Pod" {
        return vec![asked.clone()];
    }
    let mut owners = vec![asked.uid()];
    for _ in 0..DEEPEST {
        let owned = all.iter().filter(|object| object.controller().is_some_and(|by| owners.contains(&by.text("uid"))));
        let more: Vec<&str> = owned.map(Value::uid).filter(|uid| !owners.contains(uid)).collect();
        if more.is_empty() {
            break;
        }
        owners.extend(more);
    }
    let mut pods: Vec<Value> = all
        .iter()
        .filter(|object| object.text("kind") == "Pod" && object.controller().is_some_and(|by| owners.contains(&by.text("uid"))))
        .cloned()
        .collect();
    let born = |pod: &Value| (pod.text("metadata.creationTimestamp").to_owned(), pod.name().to_owned());
    pods.sort_by_key(born);
    pods
}

/// Images of an object's pods, as their template names them.
pub fn images(object: &Value) -> Vec<String> {
    let templates = ["spec.jobTemplate.spec.template.spec", "spec.template.spec", "spec"];
    let pod = templates.into_iter().find_map(|path| object.at(path));
    let containers = pod.map(|pod| pod.items("containers")).unwrap_or_default();
    containers.iter().map(|container| container.text("image").to_owned()).collect()
}

/// Whether a pod was made from what its owner's template was before; `None` where that cannot be told.
pub fn is_of_an_older_template(chain: &[Value]) -> Option<bool> {
    const REVISION: &str = "deployment.kubernetes.io/revision";
    let of = |kind: &str| chain.iter().find(|object| object.text("kind") == kind);
    if let (Some(set), Some(deployment)) = (of("ReplicaSet"), of("Deployment")) {
        return Some(set.annotation(REVISION)? != deployment.annotation(REVISION)?);
    }
    if let (Some(pod), Some(set)) = (of("Pod"), of("StatefulSet")) {
        return Some(pod.label("controller-revision-hash")? != set.at("status.updateRevision")?.as_str()?);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(kind: &str, name: &str, by: &str) -> Value {
        json!({"kind": kind, "metadata": {"name": name, "uid": name, "ownerReferences": [{"uid": by, "controller": true}],
            "creationTimestamp": format!("2026-01-01T00:00:00Z")}})
    }

    #[test]
    fn names_are_read_as_kubectl_reads_them() {
        for (word, kind) in
            [("deploy/x", "Deployment"), ("sts/x", "StatefulSet"), ("Pods/x", "Pod"), ("cronjob/x", "CronJob"), ("job/x", "Job")]
        {
            let (kinds, name) = asked(word).expect(word);
            assert_eq!((kinds.len(), kinds[0].kind, name), (1, kind, "x"));
        }
        assert_eq!(asked("x").expect("a name").0.len(), NAMED.len());
        assert!(asked("service/x").map(|_| ()).expect_err("no workload").hints[0].contains("statefulset/NAME"));
    }

    #[test]
    fn pods_are_found_below_whatever_stands_between() {
        let cron = object("CronJob", "c", "");
        let all = [object("Job", "j", "c"), object("Pod", "p", "j"), object("Pod", "other", "x"), object("Pod", "q", "j")];
        let pods: Vec<String> = below(&cron, &all).iter().map(|pod| pod.name().to_owned()).collect();
        assert_eq!(pods, ["p", "q"]);
        assert_eq!(below(&all[1], &all).len(), 1);
        // One that owns itself ends it no less.
        let circle = [object("Job", "a", "b"), object("Job", "b", "a")];
        assert!(below(&circle[0], &circle).is_empty());
    }

    #[test]
    fn images_stand_where_each_kind_has_its_template() {
        let containers = json!({"containers": [{"image": "i"}]});
        for object in [
            json!({"spec": containers}),
            json!({"spec": {"template": {"spec": containers}}}),
            json!({"spec": {"jobTemplate": {"spec": {"template": {"spec": containers}}}}}),
        ] {
            assert_eq!(images(&object), ["i"], "{object}");
        }
    }

    #[test]
    fn a_pod_of_the_template_before_is_told_apart() {
        let with = |kind: &str, revision: &str| json!({"kind": kind, "metadata": {"annotations": {"deployment.kubernetes.io/revision": revision}}});
        let pod = json!({"kind": "Pod", "metadata": {"labels": {"controller-revision-hash": "a"}}});
        let set = |revision: &str| json!({"kind": "StatefulSet", "status": {"updateRevision": revision}});
        assert_eq!(is_of_an_older_template(&[pod.clone(), with("ReplicaSet", "1"), with("Deployment", "2")]), Some(true));
        assert_eq!(is_of_an_older_template(&[pod.clone(), with("ReplicaSet", "2"), with("Deployment", "2")]), Some(false));
        assert_eq!(is_of_an_older_template(&[pod.clone(), set("b")]), Some(true));
        assert_eq!(is_of_an_older_template(&[pod.clone(), set("a")]), Some(false));
        assert_eq!(is_of_an_older_template(&[pod]), None);
    }
}
