//! What a controller sees, and what it can ask for.

use base::Timestamp;
use k8s::{ApiError, Fields, Kind, ObjectRef, Value};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The objects as they are now. Reads never wait and are never older than the last write that was carried out.
pub trait World {
    /// One object.
    fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Option<Arc<Value>>;
    /// All objects of a kind, in one namespace or in all, in the order of their keys.
    fn list(&self, kind: &'static Kind, namespace: Option<&str>) -> Vec<Arc<Value>>;
    /// The namespace's objects whose controller is the object with this uid.
    fn controlled(&self, kind: &'static Kind, namespace: &str, uid: &str) -> Vec<Arc<Value>> {
        let mut objects = self.list(kind, Some(namespace));
        objects.retain(|object| object.controller().is_some_and(|owner| owner.text("uid") == uid));
        objects
    }
    /// The object that a reference names.
    fn find(&self, reference: &ObjectRef) -> Option<Arc<Value>> {
        self.get(reference.kind, &reference.namespace, &reference.name)
    }
    /// Why writes of this step's last turn were refused; empty when all went well. Told once.
    fn failures(&self) -> &[ApiError];
    /// The cluster's certificate authority, PEM.
    fn root_ca(&self) -> &str;
    /// Where volumes of the class `local` are kept.
    fn volumes_folder(&self) -> PathBuf;
}

/// Something to be changed.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Makes an object.
    Create(&'static Kind, Value),
    /// Replaces an object, but for its status; its `resourceVersion` must be current.
    Update(&'static Kind, Value),
    /// Replaces an object's status.
    UpdateStatus(&'static Kind, Value),
    /// Deletes the object with this uid.
    Delete {
        /// Which.
        object: ObjectRef,
        /// Only while it is this very object.
        uid: String,
        /// `Background`, `Foreground` or `Orphan`.
        propagation: &'static str,
        /// Whether to be gone at once (`gracePeriodSeconds: 0`).
        now: bool,
    },
    /// Binds a pod to a node.
    Bind {
        /// The pod.
        pod: ObjectRef,
        /// While it is this very pod.
        uid: String,
        /// The node's name.
        node: String,
    },
    /// Clears `spec.finalizers` of a namespace, which lets it go.
    Finalize(ObjectRef),
    /// Tells what happened to an object.
    Event {
        /// The whole object that it happened to.
        regarding: ObjectRef,
        /// Its uid.
        uid: String,
        /// Whether it is a warning.
        warning: bool,
        /// One word, such as `ScalingReplicaSet`.
        reason: &'static str,
        /// One sentence.
        message: String,
    },
    /// Replaces a Secret, with a token of a service account put in that lives as long as the Secret does.
    IssueToken {
        /// The Secret; its `resourceVersion` must be current.
        secret: Value,
        /// The service account's name.
        account: String,
    },
    /// Makes the folder of a volume.
    MakeFolder(PathBuf),
    /// Removes the folder of a volume with all that is in it.
    RemoveFolder(PathBuf),
}

/// What a turn asks for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// Carried out in order; the first refusal ends the turn. An object that is written twice is written the second time
    /// with the version that the first gave it.
    pub writes: Vec<Write>,
    /// When to be called again even if nothing changes.
    pub again: Option<Duration>,
}

impl Step {
    /// Nothing to do.
    pub fn done() -> Self {
        Self::default()
    }

    /// These writes.
    pub fn write(writes: Vec<Write>) -> Self {
        Self { writes, again: None }
    }

    /// The same, and called again after `delay`, or sooner when that was asked for.
    #[must_use]
    pub fn again_in(mut self, delay: Duration) -> Self {
        self.again = Some(self.again.map_or(delay, |before| before.min(delay)));
        self
    }
}

/// A kind whose changes concern a controller.
#[derive(Clone, Copy)]
pub struct Watch {
    /// The kind.
    pub kind: &'static Kind,
    /// The objects to look at again when this one changed or went.
    pub concerns: fn(&Value, &dyn World) -> Vec<ObjectRef>,
}

/// One controller.
pub struct Controller {
    /// Its name, as the field manager of its writes.
    pub name: &'static str,
    /// What it looks at.
    pub watches: &'static [Watch],
    /// One turn for one object, which may be gone.
    pub step: fn(&ObjectRef, &dyn World, Timestamp) -> Step,
}

/// A watch on every kind, for controllers that look at all objects alike.
pub const fn all_kinds(concerns: fn(&Value, &dyn World) -> Vec<ObjectRef>) -> [Watch; k8s::KINDS.len()] {
    let mut watches = [Watch { kind: k8s::KINDS[0], concerns }; k8s::KINDS.len()];
    let mut at = 0;
    while at < watches.len() {
        watches[at] = Watch { kind: k8s::KINDS[at], concerns };
        at += 1;
    }
    watches
}
