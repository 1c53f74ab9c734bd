//! Keys of steps: all that goes into one, each part by name, so that it can be said which part changed.

use blobs::{Record, Store};
use oci::{Digest, Hasher};
use std::collections::BTreeMap;

/// More parts are not kept for the explanation.
const MAX_EXPLAINED: usize = 2_000;
/// More reasons are counted and not listed.
const MAX_REASONS: usize = 5;

/// The parts that go into a step.
#[derive(Clone, Debug, Default)]
pub(crate) struct Key {
    parts: Vec<(String, Digest)>,
}

impl Key {
    /// Of a step of that kind on top of that parent. The version changes when steps of equal keys would give other layers.
    pub(crate) fn new(kind: &str, parent: &Digest) -> Self {
        let mut key = Self::default();
        key.part("kind of step", format!("1 {kind}").as_bytes());
        key.digest("what the step stands on", *parent);
        key
    }

    pub(crate) fn part(&mut self, name: impl Into<String>, content: &[u8]) {
        self.digest(name, Digest::of(content));
    }

    pub(crate) fn digest(&mut self, name: impl Into<String>, digest: Digest) {
        self.parts.push((name.into(), digest));
    }

    pub(crate) fn finish(&self) -> Digest {
        let mut hasher = Hasher::new();
        for (name, digest) in &self.parts {
            hasher.part(name.as_bytes());
            hasher.part(digest.bytes());
        }
        hasher.finish()
    }

    /// Keeps the parts under a slot - a place in a Dockerfile - for the next build to compare.
    pub(crate) fn remember(&self, store: &Store, slot: &Digest) {
        let parts: BTreeMap<&str, String> =
            self.parts.iter().take(MAX_EXPLAINED).map(|(name, digest)| (name.as_str(), digest.hex())).collect();
        if let Ok(note) = serde_json::to_value(parts) {
            // Only an explanation is lost when this fails.
            let _ = store.cache().put(slot, &Record { layer: None, note });
        }
    }

    /// What differs from what the slot remembers.
    pub(crate) fn compare(&self, store: &Store, slot: &Digest) -> Vec<String> {
        let Some(record) = store.cache().get(slot) else { return vec!["it was not built before".to_owned()] };
        let Ok(before) = serde_json::from_value::<BTreeMap<String, String>>(record.note) else { return Vec::new() };
        let now: BTreeMap<&str, String> =
            self.parts.iter().take(MAX_EXPLAINED).map(|(name, digest)| (name.as_str(), digest.hex())).collect();
        let mut reasons = Vec::new();
        for (name, digest) in &now {
            match before.get(*name) {
                None => reasons.push(format!("new: {name}")),
                Some(old) if old != digest => reasons.push(format!("changed: {name}")),
                Some(_) => {}
            }
        }
        reasons.extend(before.keys().filter(|name| !now.contains_key(name.as_str())).map(|name| format!("gone: {name}")));
        if reasons.is_empty() {
            return vec!["its layer is no longer in the store".to_owned()];
        }
        if reasons.len() > MAX_REASONS {
            let more = reasons.len() - MAX_REASONS;
            reasons.truncate(MAX_REASONS);
            reasons.push(format!("and {more} more"));
        }
        reasons
    }
}
