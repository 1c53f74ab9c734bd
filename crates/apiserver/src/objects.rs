//! Objects between the store's bytes and decoded values.

use crate::request;
use bytes::Bytes;
use k8s::{Fields, Kind, Value};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use store::{Entry, Event, Revision, Store};

/// An object as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Decoded.
    pub value: Arc<Value>,
    /// When it was last written.
    pub revision: Revision,
}

/// The store with a bounded memory of decoded bodies: they are decoded when they are touched, and forgotten.
pub struct Objects {
    /// Below.
    pub store: Store,
    decoded: Mutex<Decoded>,
}

/// Bodies decoded lately, in two generations: when the young one is full it becomes the old one.
#[derive(Default)]
struct Decoded {
    young: HashMap<Arc<str>, Stored>,
    old: HashMap<Arc<str>, Stored>,
    young_bytes: usize,
}

/// JSON bytes of a generation; decoded they take about five times as much.
const GENERATION_BYTES: usize = 1 << 20;

impl Objects {
    /// Over a store.
    pub fn new(store: Store) -> Self {
        Self { store, decoded: Mutex::default() }
    }

    /// One object.
    pub fn get(&self, kind: &Kind, namespace: &str, name: &str) -> Option<Stored> {
        self.at(&request::key(kind, namespace, name))
    }

    /// The object of a key.
    pub fn at(&self, key: &str) -> Option<Stored> {
        let entry = self.store.get(key)?;
        Some(Stored { value: self.decode(&entry), revision: entry.revision })
    }

    /// All objects of a kind, in one namespace or (empty) in all, in the order of their keys.
    pub fn list(&self, kind: &Kind, namespace: &str) -> Vec<Arc<Value>> {
        self.entries(kind, namespace).iter().map(|entry| self.decode(entry)).collect()
    }

    /// The same, not decoded.
    pub fn entries(&self, kind: &Kind, namespace: &str) -> Vec<Arc<Entry>> {
        // A list of now never asks for a revision that is gone.
        self.store.list(&request::prefix(kind, namespace), 0, "", None).map(|page| page.entries).unwrap_or_default()
    }

    /// The decoded body of an entry.
    pub fn decode(&self, entry: &Entry) -> Arc<Value> {
        if let Some(found) = self.lock().find(&entry.key, entry.revision) {
            return found;
        }
        // What was stored was encoded here, so a body that is no JSON reads as an empty object rather than as a crash.
        let value = Arc::new(serde_json::from_slice(&entry.value).unwrap_or_else(|_| serde_json::json!({})));
        self.remember(entry.key.clone(), Stored { value, revision: entry.revision }, entry.value.len())
    }

    /// The decoded last body of an event: what it is now, or what it was when it was deleted.
    pub fn decode_event(&self, event: &Event) -> Arc<Value> {
        match &event.now {
            Some(entry) => self.decode(entry),
            None => Arc::new(serde_json::from_slice(&last_body(event)).unwrap_or_default()),
        }
    }

    /// Keeps a body that was just written.
    pub fn remember(&self, key: Arc<str>, stored: Stored, bytes: usize) -> Arc<Value> {
        let value = stored.value.clone();
        self.lock().put(key, stored, bytes);
        value
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Decoded> {
        self.decoded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Decoded {
    fn find(&mut self, key: &Arc<str>, revision: Revision) -> Option<Arc<Value>> {
        let fits = |stored: &&Stored| stored.revision == revision;
        if let Some(found) = self.young.get(key).filter(fits) {
            return Some(found.value.clone());
        }
        let found = self.old.get(key).filter(fits)?.value.clone();
        Some(found)
    }

    fn put(&mut self, key: Arc<str>, stored: Stored, bytes: usize) {
        if self.young_bytes + bytes > GENERATION_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes;
        self.young.insert(key, stored);
    }
}

/// The body that a watcher is told: with a delete, the last one with the revision of the delete.
pub fn last_body(event: &Event) -> Bytes {
    match (&event.now, &event.last, &event.before) {
        (Some(entry), _, _) => entry.value.clone(),
        (None, Some(last), _) => last.clone(),
        // A delete that was replayed from the journal: the body is the one before, and its revision is put in here.
        (None, None, Some(before)) => {
            let mut value: Value = serde_json::from_slice(&before.value).unwrap_or_default();
            value.set("metadata.resourceVersion", event.revision.to_string());
            Bytes::from(value.to_string())
        }
        (None, None, None) => Bytes::from_static(b"{}"),
    }
}

/// An object's canonical bytes, and where in them the store puts the revision.
pub fn encode(object: &mut Value) -> (Vec<u8>, usize) {
    let before = object.at("metadata.resourceVersion").cloned();
    object.set("metadata.resourceVersion", mark());
    let mut bytes = object.to_string().into_bytes();
    // The mark is random, so that no field that somebody wrote can be taken for it.
    let at = find(&bytes, mark().as_bytes()).unwrap_or(0);
    bytes.drain(at..at + mark().len());
    match before {
        Some(before) => object.set("metadata.resourceVersion", before),
        None => drop(object.unset("metadata.resourceVersion")),
    }
    (bytes, at)
}

fn mark() -> &'static str {
    static MARK: OnceLock<String> = OnceLock::new();
    MARK.get_or_init(|| format!("@{}@", base::ids::hex(&base::ids::random::<16>())))
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    let first = *part.first()?;
    let mut from = 0;
    loop {
        let at = from + bytes.get(from..)?.iter().position(|&byte| byte == first)?;
        if bytes.get(at..)?.starts_with(part) {
            return Some(at);
        }
        from = at + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_revision_goes_where_it_belongs() {
        let mut object = json!({"data": {"resourceVersion": ""}, "metadata": {"annotations": {"resourceVersion": ""}, "name": "a"}});
        let (bytes, at) = encode(&mut object);
        let text = String::from_utf8(bytes).expect("text");
        assert!(text[..at].ends_with("\"resourceVersion\":\"") && text[..at].contains("\"name\":\"a\""), "{text} {at}");
        assert!(object.at("metadata.resourceVersion").is_none());
    }
}
