//! The signs that a pod or a workload gives of what is the matter, worst first.

mod claims;

use super::Cause;
use crate::world::{LogOf, World};
use k8s::{Fields, Value};

/// How much a sign weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// It will not pass.
    Certain,
    /// It nearly never passes.
    Stuck,
    /// It may pass.
    Passing,
    /// What runs it tries again, and says itself when it gives up.
    Retried,
    /// It is no failure by itself, and says why when time is up.
    OnlyExplains,
}

/// One sign.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trouble {
    pub(super) weight: Weight,
    /// The same for as long as it is the same trouble.
    pub(super) sign: String,
    message: String,
    evidence: Vec<String>,
    pub(super) log: Option<LogOf>,
    /// Whether it is talked of before it is a verdict.
    pub(super) is_told_early: bool,
}

impl Trouble {
    fn new(weight: Weight, sign: String, message: String) -> Self {
        Self { weight, sign, message, evidence: Vec::new(), log: None, is_told_early: false }
    }

    pub(super) fn cause(&self, workload: &str, prefix: &str, lines: &[String]) -> Cause {
        let last = lines.iter().rev().find(|line| !line.trim().is_empty());
        let message = match last {
            Some(line) => format!("{prefix}{}; its last line: {}", self.message, shortened(line)),
            None => format!("{prefix}{}", self.message),
        };
        Cause { workload: workload.to_owned(), message, evidence: self.evidence.iter().chain(lines).cloned().collect(), told_after_ms: 0 }
    }
}

// Log lines are foreign text: one line, no control characters, a bounded length.
fn shortened(line: &str) -> String {
    const LONGEST: usize = 200;
    let clean: String = line.trim().chars().filter(|c| !c.is_control()).take(LONGEST + 1).collect();
    if clean.chars().count() > LONGEST { format!("{}...", clean.chars().take(LONGEST).collect::<String>()) } else { clean }
}

const REVISION: &str = "deployment.kubernetes.io/revision";

/// All signs about a workload and the pods of its newest template, worst first.
pub(super) fn find(workload: &Value, world: &World) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    let behind = workload.int("status.observedGeneration").zip(workload.int("metadata.generation")).is_some_and(|(seen, is)| seen < is);
    if behind {
        return troubles;
    }
    match workload.text("kind") {
        "Pod" => {}
        "Deployment" => refused(workload, newest_replica_set(workload, world), world, &mut troubles),
        _ => refused(workload, None, world, &mut troubles),
    }
    let pods = newest_pods(workload, world);
    for pod in pods.into_iter().filter(|pod| !pod.is_terminating()) {
        look_at(pod, world, &mut troubles);
    }
    if workload.text("kind") == "Job" {
        troubles.iter_mut().for_each(leave_to_the_job);
    }
    troubles.sort_by_key(|trouble| trouble.weight);
    troubles
}

/// The pods of a workload's newest template.
pub(super) fn newest_pods<'a>(workload: &'a Value, world: &'a World) -> Vec<&'a Value> {
    match workload.text("kind") {
        "Deployment" => newest_replica_set(workload, world).map(|set| world.owned_by("Pod", set).collect()).unwrap_or_default(),
        "Pod" => vec![workload],
        "StatefulSet" => {
            let newest = workload.text("status.updateRevision");
            let is_newest = |pod: &&Value| newest.is_empty() || pod.label("controller-revision-hash") == Some(newest);
            world.owned_by("Pod", workload).filter(is_newest).collect()
        }
        _ => world.owned_by("Pod", workload).collect(),
    }
}

// How often a pod of a Job may fail is the Job's own setting.
fn leave_to_the_job(trouble: &mut Trouble) {
    if trouble.sign.ends_with("/end") || trouble.sign.ends_with("/failed") {
        (trouble.weight, trouble.is_told_early) = (Weight::Retried, true);
    }
}

/// All signs about the pods of a workload, whatever their template; worst first.
pub(super) fn find_in_all_pods(workload: &Value, world: &World) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    let sets = world.owned_by("ReplicaSet", workload).collect::<Vec<_>>();
    for owner in sets.into_iter().chain([workload]) {
        for pod in world.owned_by("Pod", owner).filter(|pod| !pod.is_terminating()) {
            look_at(pod, world, &mut troubles);
        }
    }
    troubles.sort_by_key(|trouble| trouble.weight);
    troubles
}

// The controller gives the newest template's set the highest revision, also after a way back, and the Deployment the same
// one. While the two differ, one of them has not been seen yet, and the pods at hand are of the release before. The number is
// written apart from the status that says that a change was seen, so the template itself has the last word.
fn newest_replica_set<'a>(deployment: &'a Value, world: &'a World) -> Option<&'a Value> {
    let told = |object: &Value| object.annotation(REVISION).map(str::to_owned);
    let revision = |set: &&Value| set.annotation(REVISION).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let newest = world.owned_by("ReplicaSet", deployment).max_by_key(revision)?;
    let is_of_it = template(newest).is_none_or(|made| template(deployment).is_none_or(|wanted| wanted == made));
    ((told(deployment).is_none() || told(deployment) == told(newest)) && is_of_it).then_some(newest)
}

// A template but for the label that tells the sets apart.
fn template(object: &Value) -> Option<Value> {
    let mut template = object.at("spec.template")?.clone();
    if let Some(labels) = template.at_mut("metadata.labels").as_object_mut() {
        labels.remove("pod-template-hash");
    }
    Some(template)
}

// Pods that the API server refused: a quota, a limit range, an admission.
fn refused(workload: &Value, set: Option<&Value>, world: &World, troubles: &mut Vec<Trouble>) {
    let condition = [Some(workload), set]
        .into_iter()
        .flatten()
        .find_map(|object| object.condition("ReplicaFailure").filter(|condition| condition.text("status") == "True"));
    let told = condition.map(|condition| condition.text("message").to_owned());
    let by_event = || {
        let events = set.or(Some(workload)).map(|object| world.warnings(object)).unwrap_or_default();
        let event = events.into_iter().rev().find(|event| event.text("reason") == "FailedCreate")?;
        Some(either(event, "message", "note").to_owned())
    };
    let set_wants = set.is_none_or(|set| set.int("spec.replicas").unwrap_or(0) > set.int("status.replicas").unwrap_or(0));
    if let Some(message) = told.or_else(by_event).filter(|_| set_wants) {
        let kind = if message.contains("exceeded quota") { "a quota refuses its pods" } else { "its pods are refused" };
        troubles.push(Trouble::new(Weight::Passing, format!("{}/refused", workload.uid()), format!("{kind}: {}", shortened(&message))));
    }
}

fn either<'a>(event: &'a Value, old: &str, new: &str) -> &'a str {
    [event.text(old), event.text(new)].into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

fn look_at(pod: &Value, world: &World, troubles: &mut Vec<Trouble>) {
    let name = pod.name();
    let before = troubles.len();
    claims::look_at(pod, world, troubles);
    let waits_for_claims = troubles.len() > before;
    if let Some(condition) = pod.condition("PodScheduled").filter(|condition| condition.text("status") == "False")
        && condition.text("reason") == "Unschedulable"
        // The claims themselves say more, and may only need their time.
        && !(waits_for_claims && condition.text("message").contains("unbound immediate PersistentVolumeClaims"))
    {
        let message = format!("no node takes pod `{name}`: {}", shortened(condition.text("message")));
        troubles.push(Trouble::new(Weight::Passing, format!("{}/unschedulable", pod.uid()), message));
    }
    let warnings = world.warnings(pod);
    for (list, init) in [("status.initContainerStatuses", true), ("status.containerStatuses", false)] {
        for status in pod.items(list) {
            look_at_container(pod, status, init, &warnings, troubles);
        }
    }
    look_at_mounts(pod, &warnings, troubles);
    look_at_failure(pod, troubles.len() > before, troubles);
}

// A pod that failed says why by itself, or its containers do.
fn look_at_failure(pod: &Value, is_explained: bool, troubles: &mut Vec<Trouble>) {
    let why = [pod.text("status.message"), pod.text("status.reason")].into_iter().find(|text| !text.is_empty());
    if pod.text("status.phase") != "Failed" || why.is_none() && is_explained {
        return;
    }
    let weight = if pod.text("status.reason").is_empty() { Weight::Passing } else { Weight::Stuck };
    let why = shortened(why.unwrap_or("a container ended with an error"));
    troubles.push(Trouble::new(weight, format!("{}/failed", pod.uid()), format!("pod `{}` failed: {why}", pod.name())));
}

fn look_at_mounts(pod: &Value, warnings: &[&Value], troubles: &mut Vec<Trouble>) {
    let started = pod.items("status.containerStatuses").iter().any(|status| status.at("state.running").is_some());
    let mount = warnings.iter().rev().find(|event| matches!(event.text("reason"), "FailedMount" | "FailedAttachVolume"));
    if let Some(event) = mount.filter(|_| !started) {
        let message = format!("a volume of pod `{}` cannot be mounted: {}", pod.name(), shortened(either(event, "message", "note")));
        troubles.push(Trouble::new(Weight::Passing, format!("{}/mount", pod.uid()), message));
    }
}

fn look_at_container(pod: &Value, status: &Value, init: bool, warnings: &[&Value], troubles: &mut Vec<Trouble>) {
    let container = status.text("name");
    let shown = format!("{}container `{container}` of pod `{}`", if init { "init " } else { "" }, pod.name());
    let sign = |what: &str| format!("{}/{container}/{what}", pod.uid());
    let waiting = status.text("state.waiting.reason");
    let message = status.text("state.waiting.message");
    let image = status.text("image");
    match waiting {
        "ErrImageNeverPull" | "InvalidImageName" | "ImageInspectError" => {
            troubles.push(Trouble::new(
                Weight::Certain,
                sign("image"),
                format!("the image `{image}` of {shown} is missing: {}", shortened(if message.is_empty() { waiting } else { message })),
            ));
        }
        "ErrImagePull" | "ImagePullBackOff" => {
            let told = pull_error(message, warnings);
            let weight = if is_definite(&told) { Weight::Certain } else { Weight::Passing };
            troubles.push(Trouble::new(
                weight,
                sign("image"),
                format!("the image `{image}` of {shown} cannot be pulled: {}", shortened(&told)),
            ));
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" | "StartError" => {
            let told = if message.is_empty() { waiting } else { message };
            troubles.push(Trouble::new(Weight::Stuck, sign("start"), format!("{shown} cannot be started: {}", shortened(told))));
        }
        _ => look_at_end(pod, status, init, &shown, warnings, troubles),
    }
    if !init && !status.flag("ready") && status.at("state.running").is_some() {
        let mut explained = unready(pod, container, &shown, warnings, sign("unready"));
        explained.log = Some(log_of(pod, container, false));
        troubles.push(explained);
    }
}

fn log_of(pod: &Value, container: &str, previous: bool) -> LogOf {
    LogOf { namespace: pod.namespace().to_owned(), pod: pod.name().to_owned(), container: container.to_owned(), previous }
}

// `ImagePullBackOff` hides the reason that `ErrImagePull` gave; the events keep it.
fn pull_error(message: &str, warnings: &[&Value]) -> String {
    let event =
        warnings.iter().rev().find(|event| event.text("reason") == "Failed" && either(event, "message", "note").contains("pull image"));
    match event {
        Some(event) if message.is_empty() || message.starts_with("Back-off") => either(event, "message", "note").to_owned(),
        _ => message.to_owned(),
    }
}

fn is_definite(message: &str) -> bool {
    let message = message.to_lowercase();
    ["not found", "unknown", "unauthorized", "denied", "forbidden", "no such", "does not exist", "not present", "invalid", "no match"]
        .iter()
        .any(|word| message.contains(word))
}

fn look_at_end(pod: &Value, status: &Value, init: bool, shown: &str, warnings: &[&Value], troubles: &mut Vec<Trouble>) {
    let container = status.text("name");
    let now = status.at("state.terminated");
    let Some(ended) = now.or_else(|| status.at("lastState.terminated")) else { return };
    let code = ended.int("exitCode").unwrap_or(0);
    let looping = status.text("state.waiting.reason") == "CrashLoopBackOff";
    let recovered = now.is_none() && !looping && status.flag("ready");
    if init && code == 0 && !looping
        || recovered
        || pod.text("spec.restartPolicy") != "Always" && code == 0 && !pod.text("spec.restartPolicy").is_empty()
    {
        return;
    }
    let sign = format!("{}/{container}/end", pod.uid());
    let (weight, message) = if ended.text("reason") == "OOMKilled" {
        (Weight::Certain, format!("{shown} was killed: out of memory{}", limit(pod, container)))
    } else if let Some(probe) = probe(warnings, container, "Liveness").filter(|_| matches!(code, 137 | 143)) {
        (
            if looping { Weight::Certain } else { Weight::Passing },
            format!("{shown} was killed because its liveness probe failed: {}", shortened(probe)),
        )
    } else {
        let why = match ended.text("reason") {
            "" | "Error" | "Completed" => String::new(),
            reason => format!(
                " ({reason}{})",
                Some(ended.text("message"))
                    .filter(|text| !text.is_empty())
                    .map(|text| format!(": {}", shortened(text)))
                    .unwrap_or_default()
            ),
        };
        let by = match ended.int("signal") {
            Some(signal) if signal != 0 => format!("ended by signal {signal}"),
            _ => format!("ended with exit code {code}"),
        };
        (if looping { Weight::Certain } else { Weight::Passing }, format!("{shown} {by}{why}"))
    };
    let mut trouble = Trouble::new(weight, sign, message);
    trouble.log = Some(log_of(pod, container, now.is_none()));
    troubles.push(trouble);
}

fn limit(pod: &Value, container: &str) -> String {
    let specs = ["spec.containers", "spec.initContainers"].into_iter().flat_map(|list| pod.items(list));
    let found = specs.into_iter().find(|spec| spec.text("name") == container).map(|spec| spec.text("resources.limits.memory"));
    found.filter(|limit| !limit.is_empty()).map(|limit| format!(" (its limit is {limit})")).unwrap_or_default()
}

fn probe<'a>(warnings: &[&'a Value], container: &str, which: &str) -> Option<&'a str> {
    let about = |event: &&&Value| {
        let path = either(event, "involvedObject.fieldPath", "regarding.fieldPath");
        event.text("reason") == "Unhealthy"
            && (path.is_empty() || path.contains(container))
            && either(event, "message", "note").starts_with(which)
    };
    warnings.iter().rev().find(about).map(|event| either(event, "message", "note"))
}

fn unready(pod: &Value, container: &str, shown: &str, warnings: &[&Value], sign: String) -> Trouble {
    let answer = probe(warnings, container, "Readiness").or_else(|| probe(warnings, container, "Startup"));
    let condition = pod.condition("Ready").map_or("", |condition| condition.text("message"));
    let message = match answer {
        Some(answer) => format!("{shown} is not ready: {}", shortened(answer)),
        None if condition.is_empty() => format!("{shown} is not ready"),
        None => format!("{shown} is not ready: {}", shortened(condition)),
    };
    Trouble::new(Weight::OnlyExplains, sign, message)
}
