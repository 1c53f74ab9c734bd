//! What a cluster lacks for a release, looked for before anything is applied.
//!
//! Nobody is obliged to let a deployer read nodes or storage classes: what may not be read is passed over.

use crate::deploy::Delivery;
use crate::manifests::Release;
use crate::order;
use base::{Finding, Place, Problem, ProblemKind, Severity};
use cluster::{Cluster, Selection};
use k8s::labels::NETWORK_POLICY;
use k8s::{Fields, Value};

/// DaemonSets of agents that enforce network policies, by the names under which their projects install them.
const POLICY_AGENTS: [&str; 12] = [
    "anetd",
    "antrea-agent",
    "azure-npm",
    "calico-node",
    "canal",
    "cilium",
    "kindnet",
    "kube-network-policies",
    "kube-router",
    "ovnkube-node",
    "romana-agent",
    "weave-net",
];

/// The label by which nodes say what they are (core/v1 `LabelArchStable`).
const ARCHITECTURE: &str = "kubernetes.io/arch";

/// The first version whose `preStop` knows `sleep` without a feature gate (KEP-3960: beta, on by default).
const SLEEP_SINCE: (u32, u32) = (1, 30);

impl Delivery {
    /// What the cluster lacks.
    ///
    /// # Errors
    /// When no node can run the images, or the cluster cannot be reached.
    pub async fn preflight(&self, release: &Release) -> Result<Vec<Finding>, Problem> {
        let (nodes, agents, classes, volumes, version) = futures::join!(
            self.seen("v1", "Node", ""),
            self.seen("apps/v1", "DaemonSet", ""),
            self.seen("storage.k8s.io/v1", "StorageClass", ""),
            self.seen("v1", "PersistentVolume", ""),
            self.cluster.version(),
        );
        let claims = self.seen("v1", "PersistentVolumeClaim", &release.namespace).await.unwrap_or_default();
        let mut findings = Vec::new();
        if let (Some(nodes), Some(wanted)) = (&nodes, &self.architecture) {
            findings.extend(architecture(release, nodes, wanted)?);
        }
        findings.extend(nodes.as_deref().zip(agents.as_deref()).and_then(|(nodes, agents)| policies(release, nodes, agents)));
        findings.extend(classes.zip(volumes).map(|(classes, volumes)| storage(release, &classes, &volumes, &claims)).unwrap_or_default());
        findings.extend(version.ok().and_then(|version| sleep(release, &version)));
        Ok(findings)
    }

    /// All objects of a kind; `None` where they may not be read or there is no such kind.
    async fn seen(&self, api_version: &str, kind: &str, namespace: &str) -> Option<Vec<Value>> {
        list(&self.cluster, api_version, kind, namespace).await
    }
}

async fn list(cluster: &Cluster, api_version: &str, kind: &str, namespace: &str) -> Option<Vec<Value>> {
    match cluster.resource(api_version, kind).await {
        Ok(resource) => cluster.list(&resource, &Selection::namespace(namespace)).await.ok().map(|list| list.items),
        Err(cluster::Error::UnknownKind { .. }) => Some(Vec::new()),
        Err(_) => None,
    }
}

/// Whether nodes that a workload's pods may go to run what its images are made for.
fn architecture(release: &Release, nodes: &[Value], wanted: &str) -> Result<Vec<Finding>, Problem> {
    let runs = |node: &&&Value| node.text("status.nodeInfo.architecture") == wanted;
    let shown = |nodes: &[&Value]| -> String {
        let each = nodes.iter().map(|node| format!("{} is {}", node.name(), node.text("status.nodeInfo.architecture")));
        each.collect::<Vec<_>>().join(", ")
    };
    let mut findings = Vec::new();
    for intent in release.intents.iter().filter(|intent| order::is_workload(&intent.object)) {
        let workload = crate::manifests::shown(&intent.object);
        let may: Vec<&Value> = nodes.iter().filter(|node| may_go(&intent.object, node)).collect();
        let wrong: Vec<&Value> = may.iter().filter(|node| !runs(node)).copied().collect();
        if wrong.is_empty() {
            continue;
        }
        if wrong.len() == may.len() {
            let message = format!("{workload}: its images are for {wanted}, and no node that its pods may go to is: {}", shown(&wrong));
            return Err(Problem::new(ProblemKind::Target, message).hint("build on a machine of that architecture"));
        }
        let chooses = |spec: &Value| spec.at("affinity").is_some_and(|affinity| affinity.to_string().contains(ARCHITECTURE));
        if !pods(&intent.object).is_some_and(chooses) {
            let message = format!(
                "{workload}: its images are for {wanted}, and its pods may be put on nodes that are not ({}); give them the nodeSelector `{ARCHITECTURE}: {wanted}`",
                shown(&wrong)
            );
            findings.push(Finding::new("cluster-lacks", Severity::Warning, intent.place.clone(), message));
        }
    }
    Ok(findings)
}

/// What a workload says of its pods.
fn pods(workload: &Value) -> Option<&Value> {
    workload.at(if workload.text("kind") == "Pod" { "spec" } else { "spec.template.spec" })
}

/// Whether a workload's pods may be put on a node by their selector.
fn may_go(workload: &Value, node: &Value) -> bool {
    let wanted = pods(workload).and_then(|spec| spec.at("nodeSelector")).and_then(Value::as_object);
    wanted.into_iter().flatten().all(|(name, value)| node.label(name) == value.as_str())
}

fn policies(release: &Release, nodes: &[Value], agents: &[Value]) -> Option<Finding> {
    let policy = release.intents.iter().find(|intent| intent.object.text("kind") == "NetworkPolicy")?;
    let by_agent = agents.iter().any(|agent| POLICY_AGENTS.contains(&agent.name()));
    // k3s carries its agent inside.
    let by_node =
        |node: &Value| node.label(NETWORK_POLICY) == Some("enforced") || node.text("status.nodeInfo.kubeletVersion").contains("+k3s");
    if by_agent || nodes.iter().any(by_node) {
        return None;
    }
    let message = format!(
        "{} is stored and may not be enforced: the cluster runs no policy agent that is known here (Calico, Cilium, ...)",
        crate::manifests::shown(&policy.object)
    );
    Some(Finding::new("cluster-lacks", Severity::Warning, policy.place.clone(), message))
}

fn storage(release: &Release, classes: &[Value], volumes: &[Value], claims: &[Value]) -> Vec<Finding> {
    let is_default = |class: &Value| class.annotation("storageclass.kubernetes.io/is-default-class") == Some("true");
    let free = |class: &str| {
        volumes.iter().any(|volume| volume.text("status.phase") == "Available" && volume.text("spec.storageClassName") == class)
    };
    let unserved = |claim: &Value| {
        let class = claim.at("spec.storageClassName").and_then(Value::as_str);
        let provided = match class {
            None => classes.iter().any(is_default),
            Some(name) => classes.iter().any(|known| known.name() == name),
        };
        let bound = claims.iter().any(|live| live.name() == claim.name() && live.text("status.phase") == "Bound");
        !provided && !bound && !free(class.unwrap_or_default()) && claim.text("spec.volumeName").is_empty()
    };
    let wanted = release.intents.iter().filter(|intent| intent.object.text("kind") == "PersistentVolumeClaim" && unserved(&intent.object));
    wanted
        .map(|intent| {
            let class = intent.object.text("spec.storageClassName");
            let lacking = if class.is_empty() { "default storage class".to_owned() } else { format!("storage class `{class}`") };
            let message = format!(
                "{}: the cluster has no {lacking} and no free volume; it waits until somebody makes one",
                crate::manifests::shown(&intent.object)
            );
            Finding::new("cluster-lacks", Severity::Warning, intent.place.clone(), message)
        })
        .collect()
}

fn sleep(release: &Release, version: &str) -> Option<Finding> {
    let sleeps = |object: &Value| {
        let containers = object.items("spec.template.spec.containers");
        containers.iter().any(|container| container.at("lifecycle.preStop.sleep").is_some())
    };
    let intent = release.intents.iter().find(|intent| sleeps(&intent.object))?;
    let mut numbers = version
        .trim_start_matches('v')
        .split('.')
        .map(|part| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok());
    let known = (numbers.next()??, numbers.next()??);
    if known >= SLEEP_SINCE {
        return None;
    }
    let message = format!(
        "{}: Kubernetes {version} knows no preStop sleep; give the container a preStop command that sleeps, or requests are lost when it is replaced",
        crate::manifests::shown(&intent.object)
    );
    Some(Finding::new("cluster-lacks", Severity::Warning, Place::default(), message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifests::Intent;
    use serde_json::json;

    fn release(object: Value) -> Release {
        let intents = vec![Intent { object, place: Place::default() }];
        Release { id: "r".to_owned(), project: "p".to_owned(), namespace: "p".to_owned(), intents, notes: Vec::new() }
    }

    fn node(architecture: &str, label: Option<&str>, version: &str) -> Value {
        let mut labels = json!({(ARCHITECTURE): architecture});
        if let Some(value) = label {
            labels[NETWORK_POLICY] = json!(value);
        }
        json!({"metadata": {"name": "n", "labels": labels}, "status": {"nodeInfo": {"architecture": architecture, "kubeletVersion": version}}})
    }

    #[test]
    fn images_that_nodes_cannot_run_are_told() {
        let nodes = [node("arm64", None, "v1"), node("amd64", None, "v1")];
        let plain = || release(json!({"kind": "Deployment", "metadata": {"name": "web"}}));
        let pinned = |to: &str| {
            let spec = json!({"nodeSelector": {(ARCHITECTURE): to}});
            release(json!({"kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": spec}}}))
        };
        let told = |release: &Release, nodes: &[Value]| architecture(release, nodes, "amd64").map(|findings| findings.len());
        assert_eq!(told(&plain(), &nodes[1..]), Ok(0));
        assert_eq!(told(&plain(), &nodes), Ok(1));
        assert_eq!(told(&pinned("amd64"), &nodes), Ok(0));
        assert_eq!(told(&release(json!({"kind": "Service"})), &nodes[..1]), Ok(0));
        assert_eq!(told(&plain(), &[]), Ok(0));
        for (release, nodes) in [(plain(), &nodes[..1]), (pinned("arm64"), &nodes[..])] {
            let refused = told(&release, nodes).expect_err("refused");
            assert!(refused.message.contains("Deployment web") && refused.message.contains("n is arm64"), "{refused}");
        }
    }

    #[test]
    fn policies_that_nobody_enforces_are_told() {
        let release = release(json!({"kind": "NetworkPolicy", "metadata": {"name": "x"}}));
        let plain = [node("amd64", None, "v1.36.3")];
        assert!(policies(&release, &plain, &[]).is_some());
        assert!(policies(&release, &plain, &[json!({"metadata": {"name": "kube-proxy"}})]).is_some());
        assert!(policies(&release, &plain, &[json!({"metadata": {"name": "cilium"}})]).is_none());
        assert!(policies(&release, &[node("amd64", Some("enforced"), "v1")], &[]).is_none());
        assert!(policies(&release, &[node("amd64", None, "v1.31.2+k3s1")], &[]).is_none());
    }

    #[test]
    fn claims_that_nothing_serves_are_told() {
        let claim = |class: Option<&str>| {
            let spec = class.map(|class| json!({"storageClassName": class})).unwrap_or(json!({}));
            release(json!({"kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": spec}))
        };
        let default = json!({"metadata": {"name": "fast", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}});
        let free = json!({"spec": {}, "status": {"phase": "Available"}});
        let bound = json!({"metadata": {"name": "c"}, "status": {"phase": "Bound"}});
        for (class, classes, volumes, claims, told) in [
            (None, vec![], vec![], vec![], 1),
            (None, vec![default.clone()], vec![], vec![], 0),
            (None, vec![json!({"metadata": {"name": "fast"}})], vec![], vec![], 1),
            (None, vec![], vec![free.clone()], vec![], 0),
            (None, vec![], vec![], vec![bound], 0),
            (Some("fast"), vec![default.clone()], vec![], vec![], 0),
            (Some("slow"), vec![default], vec![free], vec![], 1),
        ] {
            assert_eq!(storage(&claim(class), &classes, &volumes, &claims).len(), told, "{class:?} {classes:?}");
        }
    }

    #[test]
    fn an_old_cluster_knows_no_sleep() {
        let release = release(
            json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": [{"lifecycle": {"preStop": {"sleep": {}}}}]}}}}),
        );
        assert!(sleep(&release, "v1.29.4-eks").is_some());
        assert!(sleep(&release, "v1.30.0").is_none());
        assert!(sleep(&release, "1.36+").is_none());
    }
}
