//! The node: one task that keeps every pod's state, steps it when there is news, and hands out the work.

mod actions;
mod adopt;
mod events;
mod inbox;
mod measure;
mod messages;
mod pull_secrets;
mod record;
mod resize;
mod slot;
#[cfg(test)]
mod tests;
mod writer;

pub use actions::clean;

use crate::cluster::{Change, Cluster};
use crate::config::NodeConfig;
use crate::images::Images;
use crate::pod::Pod;
use crate::state::{EndStage, Stage};
use crate::step::{News, Observed, PodAction, step};
use crate::volumes::Prepared;
use base::{Clock, Timestamp};
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use network::PodNetwork;
use runtime::{Runtime, RuntimeEvent};
use slot::Slot;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot};

/// What a node works with.
#[derive(Clone)]
pub struct Parts {
    /// Runs containers.
    pub runtime: Arc<dyn Runtime>,
    /// Links pods.
    pub network: Arc<dyn PodNetwork>,
    /// Has images.
    pub images: Arc<dyn Images>,
    /// The API.
    pub cluster: Arc<dyn Cluster>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// The node as others hold it; clones are the same node. Dropping all of them stops its task, and no pod.
#[derive(Clone)]
pub struct NodeManager {
    pub(crate) shared: Arc<Shared>,
    inbox: mpsc::UnboundedSender<Message>,
}

pub(crate) struct Shared {
    pub(crate) config: NodeConfig,
    pub(crate) parts: Parts,
    pub(crate) views: RwLock<BTreeMap<(String, String), View>>,
    /// Counts changes of views, for those who wait for one.
    pub(crate) changes: tokio::sync::watch::Sender<u64>,
}

/// A pod as streams need it.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) pod: Arc<Pod>,
    pub(crate) ip: Option<IpAddr>,
    pub(crate) netns: Option<PathBuf>,
    pub(crate) containers: BTreeMap<String, ContainerView>,
}

#[derive(Clone, Debug)]
pub(crate) struct ContainerView {
    pub(crate) attempt: Option<u32>,
    pub(crate) running: bool,
    /// Why it does not run.
    pub(crate) waiting: String,
}

enum Message {
    Change(Change),
    Report(String, Report),
    Stop(oneshot::Sender<()>),
}

/// How a piece of work came out.
enum Report {
    News(News),
    Volumes(Prepared, Option<Timestamp>),
    Linked(network::PodLink),
    Seen(Option<runtime::PodState>),
    StatusWritten(bool),
}

struct Manager {
    shared: Arc<Shared>,
    /// For those who work for it; weak, so that it ends when nobody else holds the node.
    inbox: mpsc::WeakUnboundedSender<Message>,
    slots: BTreeMap<String, Slot>,
    timers: BTreeSet<(Timestamp, String)>,
    pending: BTreeMap<String, Vec<News>>,
    events: events::Recorder,
    /// Probes run on the node's own task: no other thread is woken for them.
    probes: FuturesUnordered<BoxFuture<'static, (String, Option<Report>)>>,
}

impl NodeManager {
    /// Starts the node: adopts what runs, removes what should not, and follows the API from then on. Whoever calls watches the API from
    /// before, and tells all that came since by [`NodeManager::notify`] once this has returned.
    ///
    /// The node has a thread of its own with a small runtime: its timers and probes wake no other thread. Where none can be had, it lives
    /// on the caller's runtime.
    pub async fn start(config: NodeConfig, parts: Parts) -> Self {
        let (inbox, receiver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared { config, parts, views: RwLock::default(), changes: tokio::sync::watch::Sender::new(0) });
        let (ready, started) = oneshot::channel();
        let life = Manager::live(shared.clone(), inbox.downgrade(), receiver, ready);
        match tokio::runtime::Builder::new_current_thread().enable_all().thread_name("node-files").build() {
            Ok(runtime) => own_thread(runtime, life),
            Err(_) => drop(tokio::spawn(async move {
                if let Some(stopped) = life.await {
                    let _ = stopped.send(());
                }
            })),
        }
        let _ = started.await;
        Self { shared, inbox }
    }

    /// Tells the node of a change in the API.
    pub fn notify(&self, change: Change) {
        let _ = self.inbox.send(Message::Change(change));
    }

    /// Stops the node, and returns when nothing of it runs any more; pods go on.
    pub async fn stop(&self) {
        let (sender, receiver) = oneshot::channel();
        if self.inbox.send(Message::Stop(sender)).is_ok() {
            let _ = receiver.await;
        }
    }
}

fn own_thread(runtime: tokio::runtime::Runtime, life: impl Future<Output = Option<oneshot::Sender<()>>> + Send + 'static) {
    // Blocking work is what these threads are for, and this one never returns to the caller's runtime.
    std::thread::spawn(move || {
        let _ = rustix::thread::set_name(c"node");
        let stopped = runtime.block_on(life);
        // What was under way ends here; the next process finds how far it came.
        runtime.shutdown_timeout(Duration::from_secs(5));
        if let Some(stopped) = stopped {
            let _ = stopped.send(());
        }
    });
}

impl Manager {
    /// The node's whole life on its own thread; whom to tell that it has stopped, where somebody asked for it.
    async fn live(
        shared: Arc<Shared>,
        inbox: mpsc::WeakUnboundedSender<Message>,
        receiver: mpsc::UnboundedReceiver<Message>,
        ready: oneshot::Sender<()>,
    ) -> Option<oneshot::Sender<()>> {
        // Before anything is looked at, so that no exit falls between.
        let exits = shared.parts.runtime.events();
        for folder in [shared.config.pods(), shared.config.home.join("logs")] {
            // Secrets and what programs wrote are nobody else's business. What fails here fails again, and is told, at the first pod.
            let _ = base::files::make_folder(&folder, 0o700);
        }
        let mut manager = Self {
            events: events::Recorder::start(shared.clone()),
            shared: shared.clone(),
            inbox,
            slots: BTreeMap::new(),
            timers: BTreeSet::new(),
            pending: BTreeMap::new(),
            probes: FuturesUnordered::new(),
        };
        crate::heartbeat::start(&shared).await;
        manager.adopt().await;
        manager.advance_all();
        let _ = ready.send(());
        manager.run(receiver, exits).await
    }

    async fn run(
        mut self,
        mut inbox: mpsc::UnboundedReceiver<Message>,
        mut exits: broadcast::Receiver<RuntimeEvent>,
    ) -> Option<oneshot::Sender<()>> {
        loop {
            let sleep = self.sleep();
            tokio::select! {
                message = inbox.recv() => match message {
                    Some(Message::Stop(done)) => return Some(done),
                    Some(message) => self.take(message),
                    None => return None,
                },
                event = exits.recv() => match event {
                    Ok(event) => self.of_runtime(event),
                    Err(broadcast::error::RecvError::Lagged(_)) => self.look_again(),
                    Err(broadcast::error::RecvError::Closed) => exits = self.shared.parts.runtime.events(),
                },
                Some((uid, report)) = self.probes.next(), if !self.probes.is_empty() => {
                    if let Some(report) = report {
                        self.of_work(&uid, report);
                    }
                }
                () = sleep => {}
            }
            // What came together is taken together: one step and one write for each pod.
            for _ in 0..1_024 {
                match inbox.try_recv() {
                    Ok(Message::Stop(done)) => return Some(done),
                    Ok(message) => self.take(message),
                    Err(_) => break,
                }
            }
            while let Ok(event) = exits.try_recv() {
                self.of_runtime(event);
            }
            self.ring();
            self.advance_all();
        }
    }

    /// Until the next timer; a clock that was set back is noticed within a minute.
    fn sleep(&self) -> impl Future<Output = ()> + use<> {
        let now = self.shared.parts.clock.now();
        let wait = self.timers.first().map(|(at, _)| at.since(now).min(Duration::from_secs(60)));
        async move {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        }
    }

    fn ring(&mut self) {
        let now = self.shared.parts.clock.now();
        while self.timers.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, uid)) = self.timers.pop_first() else { return };
            if let Some(slot) = self.slots.get_mut(&uid) {
                slot.timer = None;
            }
            self.pending.entry(uid).or_default();
        }
    }

    fn tell(&mut self, uid: &str, news: News) {
        self.pending.entry(uid.to_owned()).or_default().push(news);
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Change(change) => self.of_api(change),
            Message::Report(uid, report) => self.of_work(&uid, report),
            Message::Stop(_) => {}
        }
    }

    fn advance_all(&mut self) {
        for (uid, news) in std::mem::take(&mut self.pending) {
            self.advance(&uid, &news);
        }
    }

    fn advance(&mut self, uid: &str, news: &[News]) {
        let Some(slot) = self.slots.get_mut(uid) else { return };
        let now = self.shared.parts.clock.now();
        let observed = Observed { pod: &slot.pod, gone: slot.gone, news };
        let (state, actions) = step(std::mem::take(&mut slot.state), &observed, now);
        slot.state = state;
        if slot.state.ending.as_ref().is_some_and(|ending| ending.stage == EndStage::Gone) {
            self.forget(uid);
            return;
        }
        record::store(&self.shared.config, slot);
        for action in actions {
            self.act(uid, action);
        }
        self.write_status(uid, now);
        self.set_timer(uid, now);
        self.show(uid);
    }

    fn set_timer(&mut self, uid: &str, now: Timestamp) {
        let Some(slot) = self.slots.get_mut(uid) else { return };
        let wake = [slot.state.wake, slot.retry_status_at, slot.hold_until].into_iter().flatten().min();
        // Whatever is due already was looked at in this very step: nothing may spin.
        let wake = wake.map(|at| at.max(now.plus(Duration::from_millis(1))));
        if slot.timer == wake {
            return;
        }
        if let Some(old) = slot.timer.take() {
            self.timers.remove(&(old, uid.to_owned()));
        }
        if let Some(at) = wake {
            slot.timer = Some(at);
            self.timers.insert((at, uid.to_owned()));
        }
    }

    /// Lets streams find the pod.
    fn show(&self, uid: &str) {
        // One that is gone must not hide its successor of the same name.
        let Some(slot) = self.slots.get(uid).filter(|slot| !slot.gone) else { return };
        let container = |run: &crate::state::ContainerRun| ContainerView {
            attempt: run.attempt(),
            running: run.is_running(),
            waiting: match &run.stage {
                Stage::Waiting { reason, .. } if !reason.is_empty() => reason.clone(),
                _ => "ContainerCreating".into(),
            },
        };
        let view = View {
            pod: slot.pod.clone(),
            ip: slot.ip(&self.shared.config),
            netns: slot.netns.clone(),
            containers: slot.state.containers.iter().map(|(name, run)| (name.clone(), container(run))).collect(),
        };
        let key = (slot.pod.namespace.clone(), slot.pod.name.clone());
        self.shared.views.write().unwrap_or_else(std::sync::PoisonError::into_inner).insert(key, view);
        self.shared.changes.send_modify(|count| *count += 1);
    }

    fn forget(&mut self, uid: &str) {
        let Some(slot) = self.slots.remove(uid) else { return };
        if let Some(at) = slot.timer {
            self.timers.remove(&(at, uid.to_owned()));
        }
        let key = (slot.pod.namespace.clone(), slot.pod.name.clone());
        let mut views = self.shared.views.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if views.get(&key).is_some_and(|view| view.pod.uid == uid) {
            views.remove(&key);
        }
        drop(views);
        self.shared.changes.send_modify(|count| *count += 1);
        let config = self.shared.config.clone();
        let pod = slot.pod;
        tokio::task::spawn_blocking(move || record::remove(&config, &pod.uid, Some((&pod.namespace, &pod.name))));
    }

    fn act(&mut self, uid: &str, action: PodAction) {
        let Some(slot) = self.slots.get(uid) else { return };
        if let PodAction::Event { warning, reason, message, container } = action {
            let at = self.shared.parts.clock.now();
            self.events.record(events::Note { pod: slot.pod.clone(), container, warning, reason, message, at });
            return;
        }
        let job = actions::Job {
            shared: self.shared.clone(),
            pod: slot.pod.clone(),
            ip: slot.ip(&self.shared.config),
            netns: slot.netns.clone(),
            volumes: slot.volumes.clone(),
            tokens: slot.tokens.clone(),
            status: slot.status.clone(),
            image: match &action {
                PodAction::Terminate { container } => slot.state.containers.get(container).map(|run| run.image_id.clone()),
                _ => None,
            },
        };
        let (Some(inbox), uid) = (self.inbox.upgrade(), uid.to_owned()) else { return };
        let is_probe = matches!(action, PodAction::Probe { .. });
        let work = async move {
            // A defect in one piece of work must not leave its pod waiting for ever.
            let outcome = std::panic::AssertUnwindSafe(job.run(action.clone())).catch_unwind().await;
            (uid, outcome.unwrap_or_else(|_| actions::failed(action).map(Report::News)))
        };
        if is_probe {
            self.probes.push(Box::pin(work));
            return;
        }
        tokio::spawn(async move {
            if let (uid, Some(report)) = work.await {
                let _ = inbox.send(Message::Report(uid, report));
            }
        });
    }
}
