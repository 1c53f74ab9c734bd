//! A pod as the node reads it: what decides its life cycle, typed once; the rest stays in the object.

mod handler;

pub use handler::{Handler, HttpGet, Probe, Probes};

use crate::images::PullPolicy;
use base::Timestamp;
use k8s::{Fields, Value};
use std::sync::Arc;

/// A pod's desired state.
#[derive(Clone, Debug)]
pub struct Pod {
    /// The object as the API has it.
    pub object: Arc<Value>,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// `spec.restartPolicy`.
    pub restart: RestartPolicy,
    /// Since when the API wants it gone.
    pub deletion: Option<Timestamp>,
    /// Seconds of grace: those of the deletion, or the pod's own.
    pub grace_seconds: i64,
    /// `spec.activeDeadlineSeconds`.
    pub active_deadline_seconds: Option<i64>,
    /// `spec.hostNetwork`.
    pub host_network: bool,
    /// Init containers in order, then the others, ephemeral ones last.
    pub containers: Vec<Container>,
}

/// `restartPolicy` of a pod or container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Whatever the exit code.
    #[default]
    Always,
    /// When the exit code is not 0.
    OnFailure,
    /// Not at all.
    Never,
}

impl RestartPolicy {
    fn of(text: &str) -> Option<Self> {
        Some(match text {
            "Always" => Self::Always,
            "OnFailure" => Self::OnFailure,
            "Never" => Self::Never,
            _ => return None,
        })
    }
}

/// Which part a container plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Runs to its end before the next starts.
    Init,
    /// An init container with `restartPolicy: Always`: the next starts when it has started; it ends last.
    Sidecar,
    /// One of `spec.containers`.
    Main,
    /// One of `spec.ephemeralContainers`: started once beside the others, and nobody waits for it.
    Ephemeral,
}

impl Role {
    const LISTS: [(&str, Self); 3] = [("initContainers", Self::Init), ("containers", Self::Main), ("ephemeralContainers", Self::Ephemeral)];

    /// The list of `spec` in which it stands.
    pub const fn list(self) -> &'static str {
        match self {
            Self::Init | Self::Sidecar => "initContainers",
            Self::Main => "containers",
            Self::Ephemeral => "ephemeralContainers",
        }
    }

    /// Whether it stands among the init containers.
    pub const fn is_init(self) -> bool {
        matches!(self, Self::Init | Self::Sidecar)
    }
}

/// A container's desired state.
#[derive(Clone, Debug)]
pub struct Container {
    /// Name.
    pub name: String,
    /// Its part.
    pub role: Role,
    /// Place in its list of `spec`.
    pub index: usize,
    /// Image reference.
    pub image: String,
    /// When to pull it.
    pub pull: PullPolicy,
    /// Whether and when it starts again.
    pub restart: RestartPolicy,
    /// `restartPolicyRules`: exit codes that decide before the policy does.
    pub rules: Vec<ExitRule>,
    /// Its probes.
    pub probes: Probes,
    /// `lifecycle.postStart`.
    pub post_start: Option<Handler>,
    /// `lifecycle.preStop`.
    pub pre_stop: Option<Handler>,
    /// `lifecycle.stopSignal`, such as `SIGUSR1`.
    pub stop_signal: Option<String>,
    /// `terminationMessagePath`.
    pub message_path: String,
    /// Whether the last log lines stand in for an empty message of a failure.
    pub message_from_log: bool,
}

/// One of `restartPolicyRules`: restart when the exit code is (or is not) among these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExitRule {
    /// `In` is true, `NotIn` false.
    pub among: bool,
    /// Exit codes.
    pub codes: Vec<i64>,
}

impl Pod {
    /// Reads a pod object. Fields that are missing read as the API's defaults.
    pub fn of(object: Arc<Value>) -> Self {
        let restart = RestartPolicy::of(object.text("spec.restartPolicy")).unwrap_or_default();
        let list = |(name, role): (&str, Role)| -> Vec<Container> {
            let raws = object.items(&format!("spec.{name}")).iter().enumerate();
            raws.map(|(index, raw)| Container::of(raw, index, role, restart)).collect()
        };
        let containers = Role::LISTS.into_iter().flat_map(list).collect();
        let own_grace = object.int("spec.terminationGracePeriodSeconds").unwrap_or(30);
        Self {
            uid: object.uid().to_owned(),
            namespace: object.namespace().to_owned(),
            name: object.name().to_owned(),
            generation: object.int("metadata.generation").unwrap_or(0),
            restart,
            deletion: object.time("metadata.deletionTimestamp"),
            grace_seconds: object.int("metadata.deletionGracePeriodSeconds").unwrap_or(own_grace),
            active_deadline_seconds: object.int("spec.activeDeadlineSeconds"),
            host_network: object.flag("spec.hostNetwork"),
            containers,
            object,
        }
    }

    /// `name_namespace(uid)`, as the kubelet names pods in messages.
    pub fn long_name(&self) -> String {
        format!("{}_{}({})", self.name, self.namespace, self.uid)
    }

    /// The container of this name.
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers.iter().find(|container| container.name == name)
    }

    /// The containers of a role, in order.
    pub fn with_role(&self, role: Role) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(move |container| container.role == role)
    }

    /// A container's own part of the object.
    pub fn raw(&self, container: &Container) -> &Value {
        self.object.at("spec").map_or(&[][..], |spec| spec.items(container.role.list())).get(container.index).unwrap_or(&Value::Null)
    }

    /// Where events about a container point to: `spec.containers{name}`.
    pub fn field_path(&self, name: &str) -> String {
        let role = self.container(name).map_or(Role::Main, |container| container.role);
        format!("spec.{}{{{name}}}", role.list())
    }
}

impl Container {
    fn of(raw: &Value, index: usize, of: Role, pod_restart: RestartPolicy) -> Self {
        let own = RestartPolicy::of(raw.text("restartPolicy"));
        let (role, restart) = match (of, own) {
            (Role::Ephemeral, _) => (of, RestartPolicy::Never),
            (Role::Init, Some(RestartPolicy::Always)) => (Role::Sidecar, RestartPolicy::Always),
            // A failed init container is tried again unless the pod says never; a finished one never is.
            (Role::Init, _) if pod_restart == RestartPolicy::Never => (Role::Init, own.unwrap_or(RestartPolicy::Never)),
            (Role::Init, _) => (Role::Init, own.unwrap_or(RestartPolicy::OnFailure)),
            _ => (Role::Main, own.unwrap_or(pod_restart)),
        };
        let image = raw.text("image").to_owned();
        let path = raw.text("terminationMessagePath");
        let rule = |rule: &Value| ExitRule {
            among: rule.text("exitCodes.operator") != "NotIn",
            codes: rule.items("exitCodes.values").iter().filter_map(Value::as_i64).collect(),
        };
        Self {
            name: raw.text("name").to_owned(),
            role,
            index,
            pull: PullPolicy::of(raw.text("imagePullPolicy"), &image),
            image,
            restart,
            rules: raw.items("restartPolicyRules").iter().map(rule).collect(),
            probes: Probes::of(raw),
            post_start: raw.at("lifecycle.postStart").map(Handler::of),
            pre_stop: raw.at("lifecycle.preStop").map(Handler::of),
            stop_signal: raw.at("lifecycle.stopSignal").and_then(Value::as_str).map(str::to_owned),
            message_path: if path.is_empty() { "/dev/termination-log".to_owned() } else { path.to_owned() },
            message_from_log: raw.text("terminationMessagePolicy") == "FallbackToLogsOnError",
        }
    }

    /// Whether it starts again after this exit code.
    pub fn restarts_after(&self, code: i32) -> bool {
        if self.rules.iter().any(|rule| rule.codes.contains(&i64::from(code)) == rule.among) {
            return true;
        }
        match self.restart {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure => code != 0,
            RestartPolicy::Never => false,
        }
    }
}
