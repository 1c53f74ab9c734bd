//! What a controller has still to look at: each object once, and some of them later.

use k8s::ObjectRef;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// Objects waiting for their turn.
#[derive(Default)]
pub struct Queue {
    ready: VecDeque<ObjectRef>,
    known: BTreeSet<ObjectRef>,
    later: BTreeSet<(Instant, ObjectRef)>,
    due: BTreeMap<ObjectRef, Instant>,
    refusals: BTreeMap<ObjectRef, u32>,
}

impl Queue {
    /// Puts an object at the end, unless it waits already.
    pub fn push(&mut self, object: ObjectRef) {
        if self.known.insert(object.clone()) {
            self.ready.push_back(object);
        }
    }

    /// Puts an object there at a time; the earlier of two times counts.
    pub fn push_at(&mut self, object: ObjectRef, at: Instant) {
        if let Some(before) = self.due.get(&object).copied() {
            if before <= at {
                return;
            }
            self.later.remove(&(before, object.clone()));
        }
        self.due.insert(object.clone(), at);
        self.later.insert((at, object));
    }

    /// The next object whose turn it is.
    pub fn pop(&mut self, now: Instant) -> Option<ObjectRef> {
        while let Some((at, object)) = self.later.first().cloned().filter(|(at, _)| *at <= now) {
            self.later.remove(&(at, object.clone()));
            self.due.remove(&object);
            self.push(object);
        }
        let object = self.ready.pop_front()?;
        self.known.remove(&object);
        Some(object)
    }

    /// When the next object's time comes.
    pub fn next_due(&self) -> Option<Instant> {
        self.later.first().map(|(at, _)| *at)
    }

    /// How long to wait after one more refusal: from 50 ms, doubling, to a minute.
    pub fn refused(&mut self, object: &ObjectRef) -> Duration {
        let count = self.refusals.entry(object.clone()).or_default();
        *count += 1;
        Duration::from_millis(25).saturating_mul(1 << (*count).min(11)).min(Duration::from_secs(60))
    }

    /// Forgets refusals.
    pub fn succeeded(&mut self, object: &ObjectRef) {
        self.refusals.remove(object);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s::kinds::POD;

    #[test]
    fn each_object_waits_once_and_the_earlier_time_counts() {
        let mut queue = Queue::default();
        let (a, b) = (ObjectRef::new(POD, "d", "a"), ObjectRef::new(POD, "d", "b"));
        let now = Instant::now();
        queue.push(a.clone());
        queue.push(a.clone());
        queue.push_at(b.clone(), now + Duration::from_secs(9));
        queue.push_at(b.clone(), now + Duration::from_secs(5));
        assert_eq!(queue.pop(now), Some(a.clone()));
        assert_eq!(queue.pop(now), None);
        assert_eq!(queue.next_due(), Some(now + Duration::from_secs(5)));
        assert_eq!(queue.pop(now + Duration::from_secs(5)), Some(b.clone()));
        assert_eq!(queue.next_due(), None);
        assert_eq!(queue.refused(&a), Duration::from_millis(50));
        assert_eq!(queue.refused(&a), Duration::from_millis(100));
        for _ in 0..40 {
            queue.refused(&a);
        }
        assert!(queue.refused(&a) <= Duration::from_secs(60));
    }
}
