//! What is in memory: the keys, the last changes, and who watches.

use crate::types::{Compacted, Entry, Event, Revision};
use crate::watch::Queue;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::{Arc, Weak};

/// Keys in order.
pub(crate) type Tree = BTreeMap<Arc<str>, Arc<Entry>>;

/// Everything that readers see.
pub(crate) struct State {
    pub(crate) tree: Tree,
    pub(crate) revision: Revision,
    /// Changes up to and with this one are no longer in the ring.
    pub(crate) compacted: Revision,
    ring: VecDeque<Arc<Event>>,
    ring_bytes: usize,
    ring_limit: usize,
    watchers: HashMap<Box<str>, Vec<Weak<Queue>>>,
    pub(crate) stopped: Option<String>,
}

impl State {
    pub(crate) fn new(ring_limit: usize) -> Self {
        Self {
            tree: Tree::new(),
            revision: 0,
            compacted: 0,
            ring: VecDeque::new(),
            ring_bytes: 0,
            ring_limit,
            watchers: HashMap::new(),
            stopped: None,
        }
    }

    /// Takes what a snapshot held; the changes that led there are not known.
    pub(crate) fn restore(&mut self, entry: Arc<Entry>) {
        self.tree.insert(entry.key.clone(), entry);
    }

    /// A snapshot ends at this revision.
    pub(crate) fn restored(&mut self, revision: Revision) {
        self.revision = self.revision.max(revision);
        self.compacted = self.revision;
    }

    /// Makes one change seen.
    pub(crate) fn apply(&mut self, change: Change) {
        let Change { key, revision, value, last } = change;
        let (now, before) = match value {
            Some(value) => {
                let entry = Arc::new(Entry { key: key.clone(), revision, value });
                let before = self.tree.insert(key.clone(), entry.clone());
                (Some(entry), before)
            }
            None => (None, self.tree.remove(&key)),
        };
        self.revision = revision;
        self.publish(Arc::new(Event { key, revision, now, before, last }));
    }

    fn publish(&mut self, event: Arc<Event>) {
        self.ring_bytes += event.weight();
        self.ring.push_back(event.clone());
        while self.ring_bytes > self.ring_limit && self.ring.len() > 1 {
            if let Some(old) = self.ring.pop_front() {
                self.ring_bytes -= old.weight();
                self.compacted = old.revision;
            }
        }
        let compacted = self.compacted;
        for prefix in prefixes(&event.key) {
            let Some(queues) = self.watchers.get_mut(prefix) else { continue };
            queues.retain(|queue| queue.upgrade().is_some_and(|queue| queue.push(&event, compacted)));
            if queues.is_empty() {
                self.watchers.remove(prefix);
            }
        }
    }

    /// Joins a watcher with all that happened since.
    pub(crate) fn watch(&mut self, prefix: &str, since: Revision) -> Result<Arc<Queue>, Compacted> {
        if since < self.compacted {
            return Err(Compacted { asked: since, oldest: self.compacted });
        }
        let from = self.ring.partition_point(|event| event.revision <= since);
        let queue = Arc::new(Queue::new(self.ring.range(from..).filter(|event| event.key.starts_with(prefix)).cloned()));
        self.watchers.entry(prefix.into()).or_default().push(Arc::downgrade(&queue));
        Ok(queue)
    }

    /// Keys below a prefix as they stood at a revision, from a key on.
    pub(crate) fn at(&self, prefix: &str, from: &str, revision: Revision) -> Result<Vec<Arc<Entry>>, Compacted> {
        if revision < self.compacted {
            return Err(Compacted { asked: revision, oldest: self.compacted });
        }
        let mut undone: BTreeMap<&str, Option<&Arc<Entry>>> = BTreeMap::new();
        let later = self.ring.partition_point(|event| event.revision <= revision);
        for event in self.ring.range(later..).rev().filter(|event| event.key.starts_with(prefix) && &*event.key >= from) {
            undone.insert(&event.key, event.before.as_ref());
        }
        if undone.is_empty() {
            return Ok(self.below(prefix, from).cloned().collect());
        }
        let mut found: BTreeMap<&str, &Arc<Entry>> = self.below(prefix, from).map(|entry| (&*entry.key, entry)).collect();
        for (key, before) in undone {
            match before {
                Some(entry) => found.insert(key, entry),
                None => found.remove(key),
            };
        }
        Ok(found.into_values().cloned().collect())
    }

    /// Keys below a prefix, from a key on.
    pub(crate) fn below<'a>(&'a self, prefix: &'a str, from: &str) -> impl Iterator<Item = &'a Arc<Entry>> {
        let start = if from > prefix { from } else { prefix };
        let range = (Bound::Included(start), Bound::Unbounded);
        self.tree.range::<str, _>(range).map(|(_, entry)| entry).take_while(move |entry| entry.key.starts_with(prefix))
    }

    /// Tells every watcher that nothing more comes.
    pub(crate) fn stop(&mut self, reason: &str) {
        self.stopped.get_or_insert_with(|| reason.to_owned());
        for queue in self.watchers.drain().flat_map(|(_, queues)| queues) {
            if let Some(queue) = queue.upgrade() {
                queue.end(crate::watch::WatchEnd::Stopped);
            }
        }
    }
}

/// One change on its way into memory.
pub(crate) struct Change {
    pub(crate) key: Arc<str>,
    pub(crate) revision: Revision,
    pub(crate) value: Option<bytes::Bytes>,
    pub(crate) last: Option<bytes::Bytes>,
}

/// What may be watched: everything, a resource, a namespace of it, one key. Always ends in a slash but for a whole key.
fn prefixes(key: &str) -> impl Iterator<Item = &str> {
    let mut slashes = key.match_indices('/').map(|(at, _)| at + 1);
    let levels = [slashes.next(), slashes.next(), slashes.next()];
    levels.into_iter().flatten().filter(|&at| at < key.len()).chain([key.len()]).filter_map(|end| key.get(..end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watchable_prefixes_are_the_levels_of_a_key() {
        let found: Vec<&str> = prefixes("/pods./default/web").collect();
        assert_eq!(found, ["/", "/pods./", "/pods./default/", "/pods./default/web"]);
        let cluster: Vec<&str> = prefixes("/nodes.//one").collect();
        assert_eq!(cluster, ["/", "/nodes./", "/nodes.//", "/nodes.//one"]);
    }
}
