//! Runs the controllers: hands them what changed, carries out what they ask for, comes back when they want to.

mod carry;
mod queue;

use crate::objects::{Change, Objects};
use base::Clock;
use carry::Carrier;
use controllers::{CONTROLLERS, Controller, World};
use k8s::{ApiError, KINDS, Kind, ObjectRef, Value};
use queue::Queue;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;

/// What all controllers see of the cluster.
#[derive(Clone)]
pub struct Surroundings {
    /// The objects.
    pub objects: Arc<dyn Objects>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The cluster's certificate authority, PEM.
    pub root_ca: Arc<str>,
    /// Where local volumes are kept.
    pub volumes: PathBuf,
}

/// Starts every controller, and tells each what changes until `changes` ends.
///
/// All objects that are there already are told first.
pub async fn run(surroundings: Surroundings, mut changes: mpsc::UnboundedReceiver<Change>) {
    let mut inboxes = Vec::new();
    for controller in CONTROLLERS {
        let (inbox, keys) = mpsc::unbounded_channel();
        inboxes.push((controller, inbox));
        tokio::spawn(work(controller, surroundings.clone(), keys));
    }
    let view = View { around: surroundings.clone(), failures: Vec::new() };
    for kind in KINDS.iter().copied() {
        for object in surroundings.objects.list(kind, None) {
            tell(&inboxes, kind, &object, &view);
        }
    }
    while let Some(change) = changes.recv().await {
        tell(&inboxes, change.kind, &change.object, &view);
    }
}

fn tell(inboxes: &[(&'static Controller, mpsc::UnboundedSender<ObjectRef>)], kind: &'static Kind, object: &Value, view: &View) {
    for (controller, inbox) in inboxes {
        for watch in controller.watches.iter().filter(|watch| watch.kind == kind) {
            for concerned in (watch.concerns)(object, view) {
                let _ = inbox.send(concerned);
            }
        }
    }
}

async fn work(controller: &'static Controller, around: Surroundings, mut inbox: mpsc::UnboundedReceiver<ObjectRef>) {
    let mut queue = Queue::default();
    let carrier = Carrier::new(controller.name, around.clone());
    loop {
        while let Ok(object) = inbox.try_recv() {
            queue.push(object);
        }
        if let Some(object) = queue.pop(Instant::now()) {
            turn(controller, &around, &carrier, &mut queue, object).await;
            continue;
        }
        let due = queue.next_due();
        let told = tokio::select! {
            told = inbox.recv() => told,
            () = sleep_until(due) => continue,
        };
        match told {
            Some(object) => queue.push(object),
            None => return,
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

async fn turn(controller: &'static Controller, around: &Surroundings, carrier: &Carrier, queue: &mut Queue, object: ObjectRef) {
    let refusal = once(controller, around, carrier, queue, &object, Vec::new()).await;
    let Some(error) = refusal else { return queue.succeeded(&object) };
    let wait = queue.refused(&object);
    // Somebody else was faster: what they wrote is seen in the next turn, and nobody need hear of it.
    if error.code == 409 || error.code == 404 {
        return queue.push_at(object, Instant::now() + wait.min(std::time::Duration::from_secs(1)));
    }
    // The controller may want to tell why it cannot do what it should.
    let _ = once(controller, around, carrier, queue, &object, vec![error]).await;
    queue.push_at(object, Instant::now() + wait);
}

async fn once(
    controller: &'static Controller,
    around: &Surroundings,
    carrier: &Carrier,
    queue: &mut Queue,
    object: &ObjectRef,
    failures: Vec<ApiError>,
) -> Option<ApiError> {
    let step = {
        let view = View { around: around.clone(), failures };
        (controller.step)(object, &view, around.clock.now())
    };
    if let Some(delay) = step.again {
        queue.push_at(object.clone(), Instant::now() + delay);
    }
    carrier.carry_out(step.writes).await.err()
}

struct View {
    around: Surroundings,
    failures: Vec<ApiError>,
}

impl World for View {
    fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.around.objects.get(kind, namespace, name)
    }

    fn list(&self, kind: &'static Kind, namespace: Option<&str>) -> Vec<Arc<Value>> {
        self.around.objects.list(kind, namespace)
    }

    fn failures(&self) -> &[ApiError] {
        &self.failures
    }

    fn root_ca(&self) -> &str {
        &self.around.root_ca
    }

    fn volumes_folder(&self) -> PathBuf {
        self.around.volumes.clone()
    }
}
