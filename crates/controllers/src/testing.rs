//! A world in memory for the tests of controllers: carries writes out as the server would, with time moved by hand.

use crate::world::{Controller, World, Write};
use base::Timestamp;
use k8s::kinds::{POD, SECRET};
use k8s::{ApiError, Fields, Kind, ObjectRef, Value};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub struct TestWorld {
    objects: BTreeMap<ObjectRef, Arc<Value>>,
    counter: u64,
    turn_began: u64,
    pub now: Timestamp,
    pub failures: Vec<ApiError>,
    pub events: Vec<(String, String)>,
    pub folders: Vec<PathBuf>,
}

impl TestWorld {
    pub fn with(objects: &[(&'static Kind, Value)]) -> Self {
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        let mut world = Self {
            objects: BTreeMap::new(),
            counter: 0,
            turn_began: 0,
            now,
            failures: Vec::new(),
            events: Vec::new(),
            folders: Vec::new(),
        };
        for (kind, object) in objects {
            world.put(kind, object.clone());
        }
        world
    }

    pub fn put(&mut self, kind: &'static Kind, mut object: Value) {
        self.counter += 1;
        object.set("metadata.resourceVersion", self.counter.to_string());
        self.objects.insert(ObjectRef::of(kind, &object), Arc::new(object));
    }

    pub fn change(&mut self, kind: &'static Kind, namespace: &str, name: &str, edit: impl FnOnce(&mut Value)) {
        let mut object = (*self.get(kind, namespace, name).expect("object to change")).clone();
        edit(&mut object);
        let generation = object.int("metadata.generation").unwrap_or(1) + 1;
        object.set("metadata.generation", generation);
        self.put(kind, object);
    }

    pub fn remove(&mut self, kind: &'static Kind, namespace: &str, name: &str) {
        self.objects.remove(&ObjectRef::new(kind, namespace, name));
    }

    pub fn ready(&mut self, pod: &str) {
        let found = self.objects.keys().find(|key| key.kind == POD && key.name == pod).cloned().expect("pod");
        let now = self.now.rfc3339();
        let mut object = (*self.objects[&found]).clone();
        object["status"] = json!({"phase": "Running", "podIP": "10.42.0.9", "podIPs": [{"ip": "10.42.0.9"}],
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": now}]});
        self.put(POD, object);
    }

    /// Makes all pods ready and lets go those that are being deleted, as a node would.
    pub fn run_pods(&mut self) {
        for pod in self.list(POD, None) {
            if pod.is_terminating() {
                self.remove(POD, pod.namespace(), pod.name());
            } else if pod.condition("Ready").is_none() {
                let name = pod.name().to_owned();
                self.ready(&name);
            }
        }
    }

    /// One turn of a controller for every object that concerns it; true when something was written.
    pub fn turn(&mut self, controller: &Controller) -> bool {
        let mut keys = Vec::new();
        for watch in controller.watches {
            for object in self.list(watch.kind, None) {
                keys.extend((watch.concerns)(&object, self));
            }
        }
        keys.sort();
        keys.dedup();
        let mut wrote = false;
        for key in keys {
            let step = (controller.step)(&key, self, self.now);
            self.turn_began = self.counter;
            wrote |= step.writes.iter().any(|write| !matches!(write, Write::Event { .. }));
            for write in step.writes {
                self.carry_out(write);
            }
        }
        wrote
    }

    pub fn settle(&mut self, controller: &Controller) {
        self.settle_all(&[controller]);
    }

    pub fn settle_all(&mut self, controllers: &[&Controller]) {
        for _ in 0..100 {
            let writers = controllers.iter().filter(|controller| self.turn(controller)).count();
            if writers == 0 {
                return;
            }
        }
        panic!("controllers never settle");
    }

    pub fn advance(&mut self, time: Duration) {
        self.now = self.now.plus(time);
    }

    fn current(&self, kind: &'static Kind, object: &Value) -> Arc<Value> {
        let old = self.get(kind, object.namespace(), object.name()).expect("object to update");
        let number = |object: &Value| object.resource_version().parse::<u64>().expect("a number");
        assert!(number(object) == number(&old) || number(&old) > self.turn_began, "a stale write of {}", object.name());
        old
    }

    fn replace(&mut self, kind: &'static Kind, old: &Value, mut object: Value) {
        object.set("metadata.resourceVersion", old.resource_version());
        assert_ne!(*old, object, "a write that changes nothing");
        self.put(kind, object);
    }

    fn carry_out(&mut self, write: Write) {
        match write {
            Write::Create(kind, mut object) => {
                self.counter += 1;
                if object.name().is_empty() {
                    let name = format!("{}{:05}", object.text("metadata.generateName"), self.counter);
                    object.set("metadata.name", name);
                }
                object.set("metadata.uid", format!("uid-{}", self.counter));
                object.set("metadata.creationTimestamp", self.now.rfc3339());
                object.set("metadata.generation", 1);
                self.put(kind, object);
            }
            Write::Update(kind, mut object) => {
                let old = self.current(kind, &object);
                object["status"] = old["status"].clone();
                if old.at("spec") != object.at("spec") {
                    object.set("metadata.generation", old.int("metadata.generation").unwrap_or(1) + 1);
                }
                self.replace(kind, &old, object);
            }
            Write::UpdateStatus(kind, object) => {
                let old = self.current(kind, &object);
                let mut changed = (*old).clone();
                changed["status"] = object["status"].clone();
                self.replace(kind, &old, changed);
            }
            Write::Delete { object, .. } => {
                self.objects.remove(&object);
            }
            Write::Bind { pod, node, .. } => {
                let mut object = (*self.objects[&pod]).clone();
                object.set("spec.nodeName", node);
                self.put(POD, object);
            }
            Write::Finalize(reference) => {
                self.objects.remove(&reference);
            }
            Write::Event { reason, message, .. } => self.events.push((reason.to_owned(), message)),
            Write::IssueToken { mut secret, account } => {
                let old = self.current(SECRET, &secret);
                secret.set("data.token", format!("token of {account}"));
                self.replace(SECRET, &old, secret);
            }
            Write::MakeFolder(path) => self.folders.push(path),
            Write::RemoveFolder(path) => self.folders.retain(|folder| *folder != path),
        }
    }
}

impl World for TestWorld {
    fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.objects.get(&ObjectRef::new(kind, namespace, name)).cloned()
    }

    fn list(&self, kind: &'static Kind, namespace: Option<&str>) -> Vec<Arc<Value>> {
        let wanted = |key: &&ObjectRef| key.kind == kind && namespace.is_none_or(|namespace| key.namespace == namespace);
        self.objects.keys().filter(wanted).map(|key| self.objects[key].clone()).collect()
    }

    fn failures(&self) -> &[ApiError] {
        &self.failures
    }

    fn root_ca(&self) -> &str {
        "-----BEGIN CERTIFICATE-----"
    }

    fn volumes_folder(&self) -> PathBuf {
        PathBuf::from("/volumes")
    }
}
