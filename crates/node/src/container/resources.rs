//! Limits, requests and the class of service that follows from them.

use crate::config::NodeConfig;
use crate::pod::{Pod, Role};
use k8s::{Fields, Value, quantity};

/// `status.qosClass`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qos {
    /// Every container has equal limits and requests of CPU and memory.
    Guaranteed,
    /// Some container asks for something.
    Burstable,
    /// None asks for anything.
    BestEffort,
}

impl Qos {
    /// As the status writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Guaranteed => "Guaranteed",
            Self::Burstable => "Burstable",
            Self::BestEffort => "BestEffort",
        }
    }
}

/// A limit or request in thousandths; `None` when absent or zero.
fn amount(raw: &Value, group: &str, name: &str) -> Option<i128> {
    let value = raw.at("resources")?.at(group)?.member(name)?;
    let milli = value.as_str().map_or_else(|| value.as_i64().map(|n| i128::from(n) * 1_000), quantity::parse_milli);
    milli.filter(|n| *n > 0)
}

fn request(raw: &Value, name: &str) -> Option<i128> {
    amount(raw, "requests", name).or_else(|| amount(raw, "limits", name))
}

/// The class of a pod. Source: `pkg/apis/core/helper/qos`.
pub fn qos(pod: &Pod) -> Qos {
    let whole = &pod.object["spec"];
    let own = whole.at("resources").is_some();
    let containers: Vec<&Value> =
        if own { vec![whole] } else { pod.containers.iter().filter(|one| one.role != Role::Ephemeral).map(|one| pod.raw(one)).collect() };
    let (mut some, mut all) = (false, true);
    for raw in containers {
        for name in ["cpu", "memory"] {
            let (limit, request) = (amount(raw, "limits", name), request(raw, name));
            some |= limit.is_some() || request.is_some();
            all &= limit.is_some() && limit == request;
        }
    }
    match (some, all) {
        (true, true) => Qos::Guaranteed,
        (true, false) => Qos::Burstable,
        (false, _) => Qos::BestEffort,
    }
}

/// Limits of one container.
pub fn of_container(pod: &Pod, raw: &Value, node: &NodeConfig) -> runtime::Resources {
    runtime::Resources {
        memory_bytes: amount(raw, "limits", "memory").map(|milli| unsigned(milli / 1_000)),
        cpu_milli: amount(raw, "limits", "cpu").map(unsigned),
        // Who asks for nothing has the least share, not the kernel's own of a whole core.
        cpu_request_milli: Some(request(raw, "cpu").map_or(0, unsigned)),
        pids: None,
        oom_score: oom_score(pod, raw, node),
    }
}

/// Limits of the pod as a whole: its own, or the sum of the containers' where each has one.
pub fn of_pod(pod: &Pod, node: &NodeConfig) -> runtime::Resources {
    let whole = &pod.object["spec"];
    let limit = |name| amount(whole, "limits", name).or_else(|| total(pod, true, &|raw| amount(raw, "limits", name)));
    runtime::Resources {
        memory_bytes: limit("memory").map(|milli| unsigned(milli / 1_000)),
        cpu_milli: limit("cpu").map(unsigned),
        cpu_request_milli: request(whole, "cpu")
            .or_else(|| total(pod, false, &|raw| request(raw, "cpu")))
            .map_or(Some(0), |milli| Some(unsigned(milli))),
        pids: node.pod_pids,
        oom_score: 0,
    }
}

/// Bytes of memory that a pod asks for.
pub fn requested_memory(pod: &Pod) -> Option<u64> {
    let own = request(&pod.object["spec"], "memory").or_else(|| total(pod, false, &|raw| request(raw, "memory")));
    own.map(|milli| unsigned(milli / 1_000))
}

/// The most that a pod has at one time: main containers and sidecars together, or one init container with the sidecars before it.
fn total(pod: &Pod, all_needed: bool, of: &dyn Fn(&Value) -> Option<i128>) -> Option<i128> {
    let (mut together, mut sidecars, mut init) = (0, 0, 0);
    for container in &pod.containers {
        let amount = match of(pod.raw(container)) {
            None if all_needed && container.role != Role::Ephemeral => return None,
            amount => amount.unwrap_or(0),
        };
        match container.role {
            Role::Main => together += amount,
            Role::Sidecar => sidecars += amount,
            Role::Init => init = init.max(sidecars + amount),
            Role::Ephemeral => {}
        }
    }
    Some((together + sidecars).max(init)).filter(|n| *n > 0)
}

fn unsigned(amount: i128) -> u64 {
    u64::try_from(amount).unwrap_or(if amount < 0 { 0 } else { u64::MAX })
}

/// `oom_score_adj`. Source: kubelet `pkg/kubelet/qos/policy.go`.
fn oom_score(pod: &Pod, raw: &Value, node: &NodeConfig) -> i32 {
    match qos(pod) {
        _ if matches!(pod.object.text("spec.priorityClassName"), "system-node-critical") => -997,
        Qos::Guaranteed => -997,
        Qos::BestEffort => 1_000,
        Qos::Burstable => {
            let asked = request(raw, "memory").unwrap_or(0) / 1_000;
            let share = 1_000 * asked / i128::from(node.capacity.memory_bytes.max(1));
            i32::try_from((1_000 - share).clamp(3, 999)).unwrap_or(999)
        }
    }
}
