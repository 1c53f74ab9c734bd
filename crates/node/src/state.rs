//! What the node knows of a pod's life: kept between steps, and on disk over restarts of the node.

use crate::images::ResolvedImage;
use base::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

/// A pod's life so far. Counters of probes are not kept on disk: after a restart they begin anew, and readiness stands until then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodRuntimeState {
    /// When the node first saw it: `status.startTime`.
    pub start_time: Option<Timestamp>,
    /// Volumes are there.
    pub volumes: Task,
    /// The link is there.
    pub network: Task,
    /// The pod's address; stays in the status after the end.
    pub ip: Option<Ipv4Addr>,
    /// The shim is there.
    pub sandbox: Task,
    /// Shims made so far; from the second on the one before is removed first.
    pub sandboxes: u32,
    /// Every init container has finished or, for sidecars, started.
    pub initialized: bool,
    /// By name.
    pub containers: BTreeMap<String, ContainerRun>,
    /// Pulls that failed, by image: containers of one pod wait together.
    #[serde(default)]
    pub pulls: BTreeMap<String, FailedPull>,
    /// Why the pod as a whole failed: reason and message.
    pub failure: Option<(String, String)>,
    /// Its end, once begun.
    pub ending: Option<Ending>,
    /// When a token in its volumes wants to be made anew.
    pub refresh_at: Option<Timestamp>,
    /// Whether volumes are being brought up to date now.
    #[serde(skip)]
    pub refreshing: bool,
    /// Whether something that volumes show has changed.
    #[serde(skip)]
    pub stale: bool,
    /// When to look at what it wrote to disk.
    #[serde(skip)]
    pub disk: Disk,
    /// When the next step is due without news.
    #[serde(skip)]
    pub wake: Option<Timestamp>,
}

/// When to look at what a pod wrote to disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// Next time; `None` before the first.
    pub next: Option<Timestamp>,
    /// Under way.
    pub busy: bool,
}

/// Something that is done once, and again when it failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Not begun.
    #[default]
    Idle,
    /// Under way.
    Busy {
        /// Failures so far.
        tries: u32,
    },
    /// Done.
    Done,
    /// Failed; tried again.
    Failed {
        /// Failures so far.
        tries: u32,
        /// The last one.
        message: String,
        /// When.
        retry_at: Timestamp,
    },
}

/// One container's life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerRun {
    /// Attempts that began; the next attempt has this number.
    pub runs: u32,
    /// Where it is.
    pub stage: Stage,
    /// Image id of the newest attempt.
    pub image_id: String,
    /// Image reference of the newest attempt.
    pub image: String,
    /// The newest end.
    pub ended: Option<Ended>,
    /// The end before that.
    pub before: Option<Ended>,
    /// Of restarts.
    pub backoff: Backoff,
    /// Failed tries to make its configuration or the container, in a row.
    pub failures: u32,
    /// The image that the newest try wanted, whatever came of it.
    #[serde(default)]
    pub wanted_image: String,
    /// That image, where it has been pulled for the start that is to come.
    #[serde(skip)]
    pub pulled: Option<Box<ResolvedImage>>,
    /// Whether the start that is under way is one of an image that was pulled for it.
    #[serde(skip)]
    pub fresh: bool,
    /// The end after which the back-off of restarts was last counted, by its attempt.
    #[serde(default)]
    pub counted: Option<u32>,
    /// `started`: the startup probe and the postStart hook are through.
    pub started: bool,
    /// Whether the startup probe has passed.
    pub startup_passed: bool,
    /// Whether the readiness probe passes.
    pub ready_passed: bool,
    /// Whether a postStart hook is still awaited.
    pub hook_pending: bool,
    /// Its stop, once begun.
    pub stop: Option<Stop>,
    /// Whether it starts again whatever its policy, because its definition changed.
    pub replace: bool,
    /// The resources that it runs with, as the object has them; `None` where an older engine started it.
    #[serde(default)]
    pub resources: Option<k8s::Value>,
    /// Their change, while it is not through.
    #[serde(skip)]
    pub resize: Resize,
    /// An exit that was told before the start's own answer.
    #[serde(skip)]
    pub early: Option<(runtime::Exit, String)>,
    /// Counters of the startup, liveness and readiness probes.
    #[serde(skip)]
    pub probes: [ProbeRun; 3],
}

/// A change of a running container's resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Resize {
    /// None, or it is through.
    #[default]
    Settled,
    /// Being carried out.
    Going,
    /// It did not work out.
    Failed {
        /// What was wanted.
        wanted: k8s::Value,
        /// The node can never give it (`Infeasible`); else it is tried again.
        infeasible: bool,
        /// Why.
        message: String,
        /// When it is tried again.
        retry_at: Timestamp,
    },
}

/// Where a container is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// Not running; `until` is when it is tried again, absent when it is not its turn yet.
    Waiting {
        /// As `state.waiting` says it; empty is decided by what the pod waits for.
        reason: String,
        /// In words.
        message: String,
        /// Next try.
        until: Option<Timestamp>,
    },
    /// Its image is being pulled.
    Pulling,
    /// Being started.
    Starting,
    /// Running.
    Running {
        /// Since.
        since: Timestamp,
        /// On the host.
        pid: u32,
    },
    /// Ended; [`ContainerRun::ended`] says how.
    Ended,
}

impl Default for Stage {
    fn default() -> Self {
        Self::Waiting { reason: String::new(), message: String::new(), until: None }
    }
}

/// A pull that failed. Source: kubelet `imageBackOff`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedPull {
    /// How long it is not tried again.
    pub backoff: Backoff,
    /// Why it failed.
    pub message: String,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Which.
    pub attempt: u32,
    /// Exit code.
    pub code: i32,
    /// Signal, where one ended it.
    pub signal: Option<i32>,
    /// `Completed`, `Error`, `OOMKilled`, `StartError`, `ContainerStatusUnknown`.
    pub reason: String,
    /// The termination message.
    pub message: String,
    /// Started.
    pub started: Timestamp,
    /// Ended.
    pub finished: Timestamp,
}

/// Delay of restarts: none for the first, then 10 s doubling to 300 s, forgotten after 10 minutes. Source: kubelet `MaxContainerBackOff`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// Delay after the next end; zero is none yet.
    pub delay: Duration,
    /// When it was last set.
    pub updated: Timestamp,
}

impl Backoff {
    const FIRST: Duration = Duration::from_secs(10);
    const MOST: Duration = Duration::from_secs(300);

    /// When a container that ended at `finished` may start again; `None` is at once.
    pub fn until(&self, finished: Timestamp) -> Option<Timestamp> {
        (!self.forgotten(finished)).then(|| finished.plus(self.delay))
    }

    /// Counts a start after an end at `finished`.
    pub fn next(&mut self, finished: Timestamp, now: Timestamp) {
        self.delay = if self.forgotten(finished) { Self::FIRST } else { (self.delay * 2).min(Self::MOST) };
        self.updated = now;
    }

    /// Counts a failure at `now`: nothing is tried again before the delay is over, which begins anew when the last failure is long ago.
    pub fn fail(&mut self, now: Timestamp) {
        self.next(now, now);
    }

    /// Until when nothing is tried after a failure, where that is to come.
    pub fn holds_until(&self, now: Timestamp) -> Option<Timestamp> {
        Some(self.updated.plus(self.delay)).filter(|until| *until > now)
    }

    /// Whether it says nothing any more.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.forgotten(now)
    }

    fn forgotten(&self, finished: Timestamp) -> bool {
        self.delay.is_zero() || finished.since(self.updated) > Self::MOST * 2
    }
}

/// A container's stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// When it is killed.
    pub deadline: Timestamp,
    /// How far it is.
    pub step: StopStep,
}

/// Steps of a stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopStep {
    /// The preStop hook runs.
    Hook,
    /// The stop signal was sent.
    Term,
    /// SIGKILL was sent; sent again at this time.
    Kill {
        /// When.
        again: Timestamp,
    },
}

/// A pod's end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ending {
    /// When what still runs is killed.
    pub deadline: Timestamp,
    /// Grace in seconds from which `deadline` was made.
    pub grace_seconds: i64,
    /// How far it is.
    pub stage: EndStage,
    /// The one thing that the stage waits for.
    pub task: Task,
}

/// Stages of a pod's end, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EndStage {
    /// No new connection is led to it once this is through.
    Withdrawing,
    /// Containers stop.
    Stopping,
    /// Shim, link and volumes are removed.
    Removing,
    /// All is removed; the object may stay, with its last status.
    Removed,
    /// The object is being deleted.
    Deleting,
    /// The object is gone.
    Gone,
}

/// One probe's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProbeRun {
    /// Next time; `None` before the first.
    pub next: Option<Timestamp>,
    /// Under way.
    pub busy: bool,
    /// In a row.
    pub successes: u32,
    /// In a row, counted at most once a period.
    pub failures: u32,
    /// When a failure was last counted.
    pub counted: Option<Timestamp>,
}

impl Task {
    /// Whether it is done.
    pub fn is_done(&self) -> bool {
        *self == Self::Done
    }

    /// Whether it is under way.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }

    /// Failures so far.
    pub fn tries(&self) -> u32 {
        match self {
            Self::Busy { tries } | Self::Failed { tries, .. } => *tries,
            Self::Idle | Self::Done => 0,
        }
    }

    /// Why it failed.
    pub fn error(&self) -> Option<&str> {
        if let Self::Failed { message, .. } = self { Some(message) } else { None }
    }

    /// Failed once more; the delay is `first`, doubling to two minutes.
    pub fn fail(&mut self, message: String, now: Timestamp, first: Duration) {
        let tries = self.tries() + 1;
        let delay = first.saturating_mul(1 << (tries - 1).min(16)).min(Duration::from_secs(122));
        *self = Self::Failed { tries, message, retry_at: now.plus(delay) };
    }
}

impl ContainerRun {
    /// Whether its process runs.
    pub fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running { .. })
    }

    /// Whether it runs or is about to.
    pub fn is_active(&self) -> bool {
        matches!(self.stage, Stage::Running { .. } | Stage::Starting)
    }

    /// The attempt that runs or ran last.
    pub fn attempt(&self) -> Option<u32> {
        self.runs.checked_sub(1)
    }

    /// Exit code of a container that has ended and is not being started again.
    pub fn exit_code(&self) -> Option<i32> {
        (self.stage == Stage::Ended).then(|| self.ended.as_ref().map_or(0, |ended| ended.code))
    }

    /// Records an end.
    pub fn end(&mut self, ended: Ended) {
        self.before = self.ended.replace(ended);
        self.stage = Stage::Ended;
        self.stop = None;
        self.early = None;
        self.resize = Resize::Settled;
        self.hook_pending = false;
        (self.started, self.startup_passed, self.ready_passed) = (false, false, false);
        self.probes = Default::default();
    }
}
