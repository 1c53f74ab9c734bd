//! What is known of a cluster's objects while a rollout is watched.

use k8s::{Fields, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A log that was asked for: the last lines of a container, or why there are none.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogOf {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// Of the container before its last restart.
    pub previous: bool,
}

/// Objects by kind, namespace and name, and the logs that came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct World {
    objects: BTreeMap<(String, String, String), Value>,
    logs: BTreeMap<LogOf, Vec<String>>,
    listed: BTreeSet<(String, String)>,
}

fn key(object: &Value) -> (String, String, String) {
    (object.text("kind").to_owned(), object.namespace().to_owned(), object.name().to_owned())
}

impl World {
    /// Puts an object in, or a newer state of it.
    pub fn put(&mut self, object: Value) {
        self.objects.insert(key(&object), object);
    }

    /// Takes an object out.
    pub fn remove(&mut self, object: &Value) {
        self.objects.remove(&key(object));
    }

    /// Takes all objects of a kind in a namespace out, before a fresh list is put in.
    pub fn clear(&mut self, kind: &str, namespace: &str) {
        self.listed.insert((kind.to_owned(), namespace.to_owned()));
        self.objects.retain(|(of, within, _), _| of != kind || within != namespace);
    }

    /// Whether all objects of a kind in a namespace are known, so that one which is not here is not there.
    pub fn is_listed(&self, kind: &str, namespace: &str) -> bool {
        self.listed.contains(&(kind.to_owned(), namespace.to_owned()))
    }

    /// Puts the last lines of a log in.
    pub fn put_log(&mut self, of: LogOf, lines: Vec<String>) {
        self.logs.insert(of, lines);
    }

    /// The last lines of a log, where they have come.
    pub fn log(&self, of: &LogOf) -> Option<&[String]> {
        self.logs.get(of).map(Vec::as_slice)
    }

    /// One object.
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<&Value> {
        self.objects.get(&(kind.to_owned(), namespace.to_owned(), name.to_owned()))
    }

    /// All objects of a kind in a namespace.
    pub fn all<'a>(&'a self, kind: &'a str, namespace: &'a str) -> impl Iterator<Item = &'a Value> {
        self.objects.iter().filter(move |((of, within, _), _)| of == kind && within == namespace).map(|(_, object)| object)
    }

    /// All objects of a kind that a controller owns.
    pub fn owned_by<'a>(&'a self, kind: &'a str, owner: &'a Value) -> impl Iterator<Item = &'a Value> {
        let uid = owner.uid();
        self.all(kind, owner.namespace())
            .filter(move |object| !uid.is_empty() && object.controller().is_some_and(|by| by.text("uid") == uid))
    }

    /// Warnings about an object, oldest first.
    pub fn warnings<'a>(&'a self, about: &'a Value) -> Vec<&'a Value> {
        let same = |event: &&Value| {
            let of = event.member("involvedObject").or_else(|| event.member("regarding"));
            of.is_some_and(|of| of.text("uid") == about.uid()) && event.text("type") == "Warning"
        };
        let mut events: Vec<&Value> = self.all("Event", about.namespace()).filter(same).collect();
        events.sort_by_key(|event| event.time("series.lastObservedTime").or(event.time("lastTimestamp")).or(event.time("eventTime")));
        events
    }
}
