//! Changes as they come.

use crate::connect::Request;
use crate::error::{api, translate};
use crate::{Cluster, Resource, Result, Selection};
use futures::StreamExt;
use futures::stream::BoxStream;
use k8s::{Fields, Value};
use kube::core::WatchEvent;

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Made or changed.
    Applied(Value),
    /// Gone; its last state.
    Deleted(Value),
    /// Nothing happened up to this revision.
    Bookmark(String),
}

impl Event {
    /// The revision at which it happened.
    pub fn resource_version(&self) -> &str {
        match self {
            Self::Applied(object) | Self::Deleted(object) => object.resource_version(),
            Self::Bookmark(revision) => revision,
        }
    }
}

/// Changes until the server ends the stream; then one lists and watches anew, or goes on from the last revision.
pub type Events = BoxStream<'static, Result<Event>>;

impl Cluster {
    /// Watches a selection from a revision on.
    ///
    /// # Errors
    /// When the server refuses (410 where the revision is too old) or cannot be reached; also as items of the stream.
    pub async fn watch(&self, resource: &Resource, selection: &Selection, since: &str) -> Result<Events> {
        let request = Request::get(resource.path(&selection.namespace, "")).with("watch", "1").with("allowWatchBookmarks", "true");
        let request =
            request.with("labelSelector", &selection.labels).with("fieldSelector", &selection.fields).with("resourceVersion", since);
        let server = self.server.clone();
        let events = self.client.request_events::<Value>(request.build(&server)?).await.map_err(|error| translate(&server, error))?;
        let events = events.map(move |event: kube::Result<WatchEvent<Value>>| match event {
            Ok(WatchEvent::Added(object) | WatchEvent::Modified(object)) => Ok(Event::Applied(object)),
            Ok(WatchEvent::Deleted(object)) => Ok(Event::Deleted(object)),
            Ok(WatchEvent::Bookmark(bookmark)) => Ok(Event::Bookmark(bookmark.metadata.resource_version)),
            Ok(WatchEvent::Error(status)) => Err(api(&status).into()),
            Err(error) => Err(translate(&server, error)),
        });
        Ok(events.boxed())
    }
}
