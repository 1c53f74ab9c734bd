//! A stream of changes below a prefix.

use crate::state::State;
use crate::types::{Event, Revision};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::Notify;

/// Why a watch is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WatchEnd {
    /// Its reader is so slow that changes it has not read left the memory: list again.
    #[error("too slow: changes were dropped")]
    Lagged,
    /// The store has stopped.
    #[error("the store has stopped")]
    Stopped,
}

/// Changes that one watcher has not read yet.
pub(crate) struct Queue {
    inner: Mutex<Waiting>,
    ready: Notify,
}

struct Waiting {
    events: VecDeque<Arc<Event>>,
    end: Option<WatchEnd>,
}

impl Queue {
    pub(crate) fn new(events: impl Iterator<Item = Arc<Event>>) -> Self {
        Self { inner: Mutex::new(Waiting { events: events.collect(), end: None }), ready: Notify::new() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a change; false when the watcher fell behind what memory keeps, and gets no more.
    pub(crate) fn push(&self, event: &Arc<Event>, compacted: Revision) -> bool {
        let mut waiting = self.lock();
        if waiting.events.front().is_some_and(|oldest| oldest.revision <= compacted) {
            waiting.events = VecDeque::new();
            waiting.end = Some(WatchEnd::Lagged);
        } else {
            waiting.events.push_back(event.clone());
        }
        let alive = waiting.end.is_none();
        drop(waiting);
        self.ready.notify_one();
        alive
    }

    pub(crate) fn end(&self, end: WatchEnd) {
        self.lock().end.get_or_insert(end);
        self.ready.notify_one();
    }
}

/// Changes below a prefix, in order, none left out. Dropping it ends it.
pub struct Watch {
    pub(crate) queue: Arc<Queue>,
    pub(crate) state: Arc<RwLock<State>>,
}

impl Watch {
    /// The next change; waits for it.
    ///
    /// # Errors
    /// When the reader was too slow or the store has stopped; what was queued before a stop is still told.
    pub async fn next(&mut self) -> Result<Arc<Event>, WatchEnd> {
        loop {
            if let Some(next) = self.try_next() {
                return next;
            }
            self.queue.ready.notified().await;
        }
    }

    /// The next change if there is one now.
    pub fn try_next(&mut self) -> Option<Result<Arc<Event>, WatchEnd>> {
        let mut waiting = self.queue.lock();
        if let Some(event) = waiting.events.pop_front() {
            if waiting.events.is_empty() {
                waiting.events.shrink_to(16);
            }
            return Some(Ok(event));
        }
        waiting.end.map(Err)
    }

    /// The revision up to which everything was read: `None` while changes wait.
    pub fn progress(&self) -> Option<Revision> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let idle = self.queue.lock().events.is_empty();
        idle.then_some(state.revision)
    }
}
