//! What changes while somebody looks: server-sent events, each a JSON document of the parts of the page that are not as they were.

mod board;
mod run;
mod told;

pub(crate) use board::BoardFollower;
pub(crate) use run::RunFollower;
use told::Message;

use crate::pages::Inner;
use crate::respond::Refusal;
use crate::session::Session;
use crate::source::{Change, SourceError};
use crate::view::View;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use http::{HeaderValue, Response, header};
use net::Body;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Sender;

/// Changes that come together are told together: a person sees no difference, and a build that says much costs little.
const TOGETHER: Duration = Duration::from_millis(40);
/// So often something is sent in any case: a browser that is gone is noticed, and so is a token that was taken away.
const BEAT: Duration = Duration::from_secs(15);

/// A page that is kept up to date.
pub(crate) trait Follower: Send + 'static {
    /// Whether a change is any of its business.
    fn wants(&self, change: &Change) -> bool;

    /// Everything that is not as it was told last; where it fails, nothing counts as told.
    fn update(&mut self, inner: &Inner, view: &View<'_>) -> impl Future<Output = Result<Vec<Message>, SourceError>> + Send;

    /// Whether there is more than was told at once.
    fn has_more(&self) -> bool;

    /// Whether nothing more will come.
    fn is_over(&self) -> bool;
}

/// The answer that goes on for as long as the page is looked at.
pub(crate) fn stream<F: Follower>(inner: &Arc<Inner>, session: Arc<Session>, id: String, follower: F) -> Result<Response<Body>, Refusal> {
    let Ok(permit) = inner.streams.clone().try_acquire_owned() else {
        return Err(Refusal::Failed("too many pages are being watched".to_owned()));
    };
    let (sender, body) = Body::stream(4);
    // Subscribed before anything is read: what changes in between is told.
    let changes = inner.source.changes();
    let following = Following { inner: inner.clone(), session, id, sender };
    tokio::spawn(async move {
        following.run(follower, changes).await;
        drop(permit);
    });
    let mut answer = Response::new(body);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    Ok(answer)
}

struct Following {
    inner: Arc<Inner>,
    session: Arc<Session>,
    /// What the browser holds: the session may be ended while it looks.
    id: String,
    sender: Sender<Bytes>,
}

impl Following {
    async fn run<F: Follower>(self, mut follower: F, mut changes: BoxStream<'static, Change>) {
        let closed = self.inner.closed.subscribe().begun();
        tokio::pin!(closed);
        let mut beat = tokio::time::interval(BEAT);
        beat.reset();
        let begun = async { self.say("retry: 1000\n\n".to_owned()).await && self.tell(&mut follower).await };
        // A browser that takes nothing more does not keep the server from ending.
        let goes_on = tokio::select! { goes_on = begun => goes_on, () = &mut closed => false };
        if !goes_on {
            return;
        }
        loop {
            let change = tokio::select! {
                change = changes.next() => change,
                () = &mut closed => return,
                () = self.sender.closed() => return,
                _ = beat.tick() => {
                    if !self.is_known().await || !self.say(":\n\n".to_owned()).await { return }
                    continue;
                }
            };
            let Some(change) = change else { return };
            if !follower.wants(&change) {
                continue;
            }
            let news = async {
                let goes_on = gather(&mut changes).await;
                self.is_known().await && self.tell(&mut follower).await && goes_on
            };
            let goes_on = tokio::select! { goes_on = news => goes_on, () = &mut closed => false };
            if !goes_on {
                return;
            }
        }
    }

    async fn is_known(&self) -> bool {
        self.inner.sessions.get(&self.id, self.inner.now()).is_some() && self.inner.source.is_known(&self.session.user).await
    }

    /// Whether there is still somebody to tell more.
    async fn tell<F: Follower>(&self, follower: &mut F) -> bool {
        loop {
            let view = View { session: &self.session, now: self.inner.now() };
            // What cannot be read now is told with the next change: asked again at once, it would be refused again.
            let Ok(messages) = follower.update(&self.inner, &view).await else { break };
            for message in messages {
                if !self.say(message.encode()).await {
                    return false;
                }
            }
            if !follower.has_more() {
                break;
            }
        }
        if follower.is_over() {
            self.say("event: over\ndata: {}\n\n".to_owned()).await;
            return false;
        }
        true
    }

    async fn say(&self, text: String) -> bool {
        self.sender.send(Bytes::from(text)).await.is_ok()
    }
}

/// Lets changes gather for a moment; whether more may come.
async fn gather(changes: &mut BoxStream<'static, Change>) -> bool {
    let pause = tokio::time::sleep(TOGETHER);
    tokio::pin!(pause);
    loop {
        tokio::select! {
            () = &mut pause => return true,
            // All of it is read anew in a moment, whatever it is.
            change = changes.next() => if change.is_none() { return false },
        }
    }
}
