//! The pure heart: what a pod's news mean, and what is to be done next.

mod absorb;
mod containers;
mod disk;
mod ending;
mod probes;
mod pulls;
mod resize;
mod setup;
#[cfg(test)]
mod tests;

pub(crate) use disk::limit as disk_limit;
pub(crate) use resize::wanted as wanted_resources;

use crate::images::{ImageError, PulledImage, ResolvedImage};
use crate::pod::{Container, Pod};
use crate::state::{ContainerRun, PodRuntimeState, Stop};
use base::Timestamp;
use std::net::Ipv4Addr;
use std::time::Duration;

/// What a step looks at besides the state.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    /// The newest desired state.
    pub pod: &'a Pod,
    /// Whether the object is no longer in the API.
    pub gone: bool,
    /// What happened since the last step, in order.
    pub news: &'a [News],
}

/// Something that happened to a pod.
#[derive(Clone, Debug)]
pub enum News {
    /// What a new node process found of a pod that an earlier one ran.
    Adopted {
        /// As the runtime sees it.
        runtime: Option<runtime::PodState>,
        /// Termination messages of ended containers, by name.
        messages: std::collections::BTreeMap<String, String>,
        /// Its address, when its link is there.
        ip: Option<Ipv4Addr>,
    },
    /// Volumes are there, or up to date.
    VolumesReady {
        /// When a token wants to be renewed.
        refresh_at: Option<Timestamp>,
    },
    /// A volume cannot be had.
    VolumesFailed(String),
    /// The link is there.
    NetworkReady(Ipv4Addr),
    /// It is not.
    NetworkFailed(String),
    /// The shim is there.
    SandboxReady,
    /// It is not.
    SandboxFailed(String),
    /// A container's image is to be pulled.
    ImageWanted {
        /// Which.
        container: String,
        /// Attempt.
        attempt: u32,
        /// Which image.
        image: String,
        /// What is wrong with the pod's pull secrets.
        secrets: Option<String>,
    },
    /// An image came, or not.
    ImagePulled {
        /// Container.
        container: String,
        /// Attempt.
        attempt: u32,
        /// Which image.
        image: String,
        /// What came, or why not.
        result: Result<Box<PulledImage>, ImageError>,
    },
    /// A container runs.
    Started {
        /// Which.
        container: String,
        /// Attempt.
        attempt: u32,
        /// On the host.
        pid: u32,
        /// When.
        at: Timestamp,
        /// Image id.
        image_id: String,
        /// Image reference.
        image: String,
        /// Its resources, as the object had them.
        resources: k8s::Value,
    },
    /// A running container's resources are changed, or not.
    Resized {
        /// Which.
        container: String,
        /// Attempt.
        attempt: u32,
        /// What was wanted.
        resources: k8s::Value,
        /// Why not.
        result: Result<(), ResizeFault>,
    },
    /// A container could not be started.
    NotStarted {
        /// Which.
        container: String,
        /// Attempt.
        attempt: u32,
        /// Why.
        fault: StartFault,
    },
    /// A container ended.
    Exited {
        /// Which.
        container: String,
        /// Attempt.
        attempt: u32,
        /// How.
        exit: runtime::Exit,
        /// Its termination message.
        message: String,
    },
    /// The shim ended, and every container with it.
    ShimGone,
    /// A hook ended.
    HookDone {
        /// Container.
        container: String,
        /// Attempt.
        attempt: u32,
        /// Which hook.
        hook: Hook,
        /// Why it failed.
        result: Result<(), String>,
    },
    /// A probe answered.
    Probed {
        /// Container.
        container: String,
        /// Attempt.
        attempt: u32,
        /// Which probe.
        kind: ProbeKind,
        /// What it said on failure.
        result: Result<(), String>,
    },
    /// It was looked at what the pod wrote to disk.
    Measured {
        /// How long that took.
        took: Duration,
        /// What is over its limit.
        over: Option<String>,
    },
    /// The pod's address is out of the rules, or not.
    Withdrawn(Result<(), String>),
    /// Shim, link and volumes are gone, or not.
    Removed(Result<(), String>),
    /// The object is gone, or not.
    Deleted(Result<(), String>),
    /// A ConfigMap, Secret or claim that the pod names changed, or an image came.
    DependencyChanged,
    /// One of the pod's pull secrets changed: what could not be pulled is tried again at once.
    PullSecretChanged,
}

/// Why a container did not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartFault {
    /// No image.
    Image(ImageError),
    /// `CreateContainerConfigError`: what it is made from is missing or not allowed.
    Config(String),
    /// `CreateContainerError`: the runtime cannot make it so.
    Create(String),
    /// `RunContainerError` with `StartError`: the program does not start.
    Program(String),
    /// `RunContainerError`: the host failed.
    Host(String),
}

/// Why resources did not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResizeFault {
    /// The node is too small for it.
    Infeasible(String),
    /// It may work later.
    Error(String),
}

/// The two hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// After the start.
    PostStart,
    /// Before the stop signal.
    PreStop,
}

/// The three probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeKind {
    /// `startupProbe`.
    Startup,
    /// `livenessProbe`.
    Liveness,
    /// `readinessProbe`.
    Readiness,
}

impl ProbeKind {
    /// All, in the order of [`ContainerRun::probes`].
    pub const ALL: [Self; 3] = [Self::Startup, Self::Liveness, Self::Readiness];

    /// As messages name it: `Startup`.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Startup => "Startup",
            Self::Liveness => "Liveness",
            Self::Readiness => "Readiness",
        }
    }
}

/// What is to be done for a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodAction {
    /// Make its volumes, or bring them up to date.
    PrepareVolumes,
    /// Make its link.
    AttachNetwork,
    /// Make its shim.
    CreateSandbox {
        /// Whether an earlier one is to be removed first.
        replace: bool,
    },
    /// Start a container, when its image is here.
    Start {
        /// Which.
        container: String,
        /// Attempt.
        attempt: u32,
        /// Its image, where it has just been pulled.
        image: Option<Box<ResolvedImage>>,
    },
    /// Pull an image.
    Pull {
        /// The container that wants it.
        container: String,
        /// Attempt.
        attempt: u32,
    },
    /// Send a container its stop signal.
    Terminate {
        /// Which.
        container: String,
    },
    /// Kill every process of a container.
    Kill {
        /// Which.
        container: String,
    },
    /// Give a running container the resources that the object asks for.
    Resize {
        /// Which.
        container: String,
        /// Attempt.
        attempt: u32,
    },
    /// Run a hook.
    RunHook {
        /// Container.
        container: String,
        /// Attempt.
        attempt: u32,
        /// Which.
        hook: Hook,
        /// At most so long.
        timeout: Option<Duration>,
    },
    /// Probe a container.
    Probe {
        /// Container.
        container: String,
        /// Attempt.
        attempt: u32,
        /// Which.
        kind: ProbeKind,
    },
    /// Look at what it wrote to disk.
    Measure {
        /// Containers that run, and their attempts.
        running: Vec<(String, u32)>,
    },
    /// Take its address out of the rules.
    Withdraw(Ipv4Addr),
    /// Remove shim, link and volumes.
    Remove,
    /// Write the last status and delete the object.
    Delete,
    /// Forget it: remove its folder and logs.
    Forget,
    /// Tell.
    Event {
        /// Whether it is a `Warning`.
        warning: bool,
        /// `reason`.
        reason: &'static str,
        /// `message`.
        message: String,
        /// The container it is about.
        container: Option<String>,
    },
}

/// One step: takes in the news and decides what is next. Pure; time is an argument.
pub fn step(mut state: PodRuntimeState, observed: &Observed<'_>, now: Timestamp) -> (PodRuntimeState, Vec<PodAction>) {
    let mut turn = Turn { pod: observed.pod, gone: observed.gone, now, actions: Vec::new(), wake: None };
    state.start_time.get_or_insert(now);
    for container in &observed.pod.containers {
        state.containers.entry(container.name.clone()).or_default();
    }
    for news in observed.news {
        absorb::absorb(&mut state, &mut turn, news);
    }
    probes::mark_started(&mut state, &turn);
    ending::decide(&mut state, &mut turn);
    if state.ending.is_none() {
        setup::drive(&mut state, &mut turn);
        containers::drive(&mut state, &mut turn);
        disk::drive(&mut state, &mut turn);
        // What just ended for good ends the pod in this very step.
        ending::decide(&mut state, &mut turn);
    }
    if state.ending.is_some() {
        ending::drive(&mut state, &mut turn);
    }
    probes::drive(&mut state, &mut turn);
    state.wake = turn.wake;
    (state, turn.actions)
}

/// What one step works with.
struct Turn<'a> {
    pod: &'a Pod,
    gone: bool,
    now: Timestamp,
    actions: Vec<PodAction>,
    wake: Option<Timestamp>,
}

impl Turn<'_> {
    fn act(&mut self, action: PodAction) {
        self.actions.push(action);
    }

    fn wake_at(&mut self, at: Timestamp) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    fn event(&mut self, warning: bool, reason: &'static str, message: impl Into<String>, container: Option<&str>) {
        let container = container.map(str::to_owned);
        self.act(PodAction::Event { warning, reason, message: message.into(), container });
    }
}

/// Begins a container's stop: the hook first where there is one, else the signal.
fn begin_stop(run: &mut ContainerRun, container: &Container, turn: &mut Turn<'_>, deadline: Timestamp, why: &str) {
    let Some(attempt) = run.attempt() else { return };
    turn.event(false, "Killing", why, Some(&container.name));
    let step = if container.pre_stop.is_some() {
        let timeout = Some(deadline.since(turn.now));
        turn.act(PodAction::RunHook { container: container.name.clone(), attempt, hook: Hook::PreStop, timeout });
        crate::state::StopStep::Hook
    } else {
        turn.act(PodAction::Terminate { container: container.name.clone() });
        crate::state::StopStep::Term
    };
    run.stop = Some(Stop { deadline, step });
    turn.wake_at(deadline);
}
