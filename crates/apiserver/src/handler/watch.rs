//! Watch: changes as a stream, from a version on or with the present state first.

use super::convert;
use super::list::{Selection, not_ahead, version};
use crate::core::Core;
use crate::objects::last_body;
use crate::request::{Query, prefix};
use crate::respond::Shape;
use bytes::{Bytes, BytesMut};
use k8s::{ApiError, Kind};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use store::{Entry, Event, Revision, Watch, WatchEnd};
use tokio::sync::mpsc;

/// A watch that was asked for.
pub struct Watching {
    core: Arc<Core>,
    kind: &'static Kind,
    selection: Selection,
    shape: Shape,
    watch: Watch,
    /// Told first, as added.
    initial: Vec<Arc<Entry>>,
    /// The revision of the bookmark that ends the initial events.
    initial_end: Option<Revision>,
    bookmarks: bool,
    timeout: Duration,
}

/// How often an idle watch that wants bookmarks gets one, when anything changed.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// Events that are sent in one piece.
const BATCH_BYTES: usize = 64 << 10;

impl Watching {
    /// Checks what is asked for, and joins the store.
    ///
    /// # Errors
    /// 400 for parameters that make no sense; 410 for a version that is too old.
    pub fn begin(
        core: &Arc<Core>,
        kind: &'static Kind,
        (namespace, name): (&str, &str),
        query: &Query,
        mut selection: Selection,
        shape: Shape,
    ) -> Result<Self, ApiError> {
        name.clone_into(&mut selection.name);
        let store = &core.objects.store;
        let below = prefix(convert::stored_kind(kind), namespace);
        let send = query.flag("sendInitialEvents");
        let how = query.get("resourceVersionMatch");
        if query.has("sendInitialEvents") && how != "NotOlderThan" {
            return Err(ApiError::new(
                422,
                "Invalid",
                "ListOptions.meta.k8s.io is invalid: resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ));
        }
        if !query.has("sendInitialEvents") && !how.is_empty() {
            return Err(ApiError::new(
                422,
                "Invalid",
                "ListOptions.meta.k8s.io is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ));
        }
        let wanted = version(query.get("resourceVersion"))?;
        not_ahead(wanted, store.revision())?;
        // Without a version, or with 0, a watch begins with the present state. Source: the API concepts page, "watch semantics".
        let present = send || (wanted == 0 && !query.has("sendInitialEvents"));
        let (initial, since) = if present {
            let page = store.list(&below, 0, "", None).map_err(|error| ApiError::expired(error.to_string()))?;
            (page.entries, page.revision)
        } else {
            (Vec::new(), if wanted == 0 { store.revision() } else { wanted })
        };
        let watch = store
            .watch(&below, since)
            .map_err(|error| ApiError::expired(format!("too old resource version: {} ({})", error.asked, error.oldest)))?;
        let bookmarks = query.flag("allowWatchBookmarks");
        let seconds = query.number("timeoutSeconds")?.and_then(|seconds| u64::try_from(seconds).ok()).filter(|&seconds| seconds > 0);
        // Spread, so that watchers that began together do not all come back together.
        let spread = 1_800 + u64::from(u16::from_le_bytes(base::ids::random())) % 1_800;
        let timeout = Duration::from_secs(seconds.unwrap_or(spread));
        let initial_end = (send && bookmarks).then_some(since);
        Ok(Self { core: core.clone(), kind, selection, shape, watch, initial, initial_end, bookmarks, timeout })
    }

    /// Sends until the client leaves, the time is over or the server drains.
    pub async fn run(mut self, out: mpsc::Sender<Bytes>) {
        let mut shown = self.watch.progress();
        if self.send_initial(&out).await.is_none() {
            return;
        }
        let end = tokio::time::sleep(self.timeout);
        let core = self.core.clone();
        let drained = core.drained();
        tokio::pin!(end, drained);
        loop {
            let next = tokio::select! {
                next = self.watch.next() => next,
                () = out.closed() => return,
                () = &mut end => return self.finish(&out).await,
                () = &mut drained => return self.finish(&out).await,
                () = tokio::time::sleep(BOOKMARK_EVERY), if self.bookmarks => {
                    let progress = self.watch.progress();
                    if progress.is_some() && progress != shown {
                        shown = progress;
                        if out.send(self.bookmark(progress.unwrap_or(0), false)).await.is_err() {
                            return;
                        }
                    }
                    continue;
                }
            };
            let part = self.batch(next);
            let over = part.is_err();
            let (Ok(part) | Err(part)) = part;
            if !part.is_empty() && out.send(part).await.is_err() || over {
                return;
            }
        }
    }

    async fn finish(&self, out: &mpsc::Sender<Bytes>) {
        if let Some(progress) = self.watch.progress().filter(|_| self.bookmarks) {
            let _ = out.send(self.bookmark(progress, false)).await;
        }
    }

    async fn send_initial(&mut self, out: &mpsc::Sender<Bytes>) -> Option<()> {
        let mut part = BytesMut::new();
        for entry in std::mem::take(&mut self.initial) {
            if self.selection.is_all() || self.selection.matches(&self.decoded(&entry)) {
                self.write(&mut part, "ADDED", &entry.value);
            }
            if part.len() >= BATCH_BYTES {
                out.send(part.split().freeze()).await.ok()?;
            }
        }
        if let Some(revision) = self.initial_end {
            part.extend_from_slice(&self.bookmark(revision, true));
        }
        if part.is_empty() { Some(()) } else { out.send(part.freeze()).await.ok() }
    }

    /// An event and those that wait behind it; `Err` when the watch is over.
    fn batch(&mut self, first: Result<Arc<Event>, WatchEnd>) -> Result<Bytes, Bytes> {
        let mut part = BytesMut::new();
        let mut next = Some(first);
        while let Some(event) = next {
            match event {
                Ok(event) => self.event(&mut part, &event),
                Err(WatchEnd::Lagged) => {
                    let status =
                        ApiError::expired("too old resource version: changes were dropped because they were read too slowly").to_status();
                    line(&mut part, "ERROR", status.to_string().as_bytes());
                    return Err(part.freeze());
                }
                Err(WatchEnd::Stopped) => return Err(part.freeze()),
            }
            next = if part.len() < BATCH_BYTES { self.watch.try_next() } else { None };
        }
        Ok(part.freeze())
    }

    // Whoever selects sees an object that comes to match as added, and one that ceases to match as deleted.
    fn event(&self, part: &mut BytesMut, event: &Event) {
        let matches = |entry: &Option<Arc<Entry>>| {
            entry.as_ref().is_some_and(|entry| self.selection.is_all() || self.selection.matches(&self.decoded(entry)))
        };
        match (matches(&event.before), matches(&event.now)) {
            (false, true) => self.write(part, "ADDED", &last_body(event)),
            (true, true) => self.write(part, "MODIFIED", &last_body(event)),
            (true, false) => self.write(part, "DELETED", &last_body(event)),
            (false, false) => {}
        }
    }

    fn decoded(&self, entry: &Entry) -> Arc<k8s::Value> {
        convert::out(self.kind, self.core.objects.decode(entry))
    }

    fn write(&self, part: &mut BytesMut, what: &str, body: &Bytes) {
        if self.shape == Shape::Plain && convert::is_plain(self.kind) {
            return line(part, what, body);
        }
        let value = convert::out(self.kind, Arc::new(serde_json::from_slice(body).unwrap_or_default()));
        line(part, what, self.shape.one(self.kind, &value, self.core.now()).to_string().as_bytes());
    }

    fn bookmark(&self, revision: Revision, initial_end: bool) -> Bytes {
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if initial_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let object = json!({"kind": self.kind.kind, "apiVersion": self.kind.api_version(), "metadata": metadata});
        let object = match &self.shape {
            Shape::Plain => object,
            shape => shape.bookmark(self.kind, &object),
        };
        let mut part = BytesMut::new();
        line(&mut part, "BOOKMARK", object.to_string().as_bytes());
        part.freeze()
    }
}

fn line(part: &mut BytesMut, what: &str, object: &[u8]) {
    for piece in [b"{\"type\":\"", what.as_bytes(), b"\",\"object\":", object, b"}\n"] {
        part.extend_from_slice(piece);
    }
}
