//! What a runner says of its run: in order, in batches, again until it is taken.

use super::link::{Link, LinkError};
use crate::run::RunId;
use crate::runs::Said;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Things that wait to be said; whoever has more waits.
const AHEAD: usize = 64;
/// Bytes said at once, about.
const BATCH_BYTES: usize = 1 << 20;
/// How long more is waited for.
const BATCH: Duration = Duration::from_millis(40);
/// How long until what was not taken is said again, at the most.
const AGAIN: Duration = Duration::from_secs(2);

/// What the server thinks of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is ours.
    Ours,
    /// A person wants its end.
    Stopped,
    /// It is not ours any more, or we cannot know.
    Lost,
}

/// Whose run, and what proves it.
#[derive(Clone)]
pub(super) struct Attempt {
    pub(super) id: RunId,
    pub(super) token: String,
    pub(super) silence: Duration,
}

#[derive(Clone)]
pub(super) struct Speaker {
    sender: mpsc::Sender<Said>,
}

impl Speaker {
    /// Says something; waits where much is to be said. What is said of a run that is lost goes nowhere.
    pub(super) async fn say(&self, said: Said) {
        let _ = self.sender.send(said).await;
    }

    /// Whether who has more to say has to wait, because the server does not take it.
    pub(super) fn is_behind(&self) -> bool {
        self.sender.capacity() == 0 && !self.sender.is_closed()
    }

    /// One that speaks into a test.
    #[cfg(test)]
    pub(super) fn to(sender: mpsc::Sender<Said>) -> Self {
        Self { sender }
    }

    /// A line in the shape of `wharf --json`.
    pub(super) async fn event(&self, event: serde_json::Value) {
        self.say(Said::Out(event.to_string())).await;
    }
}

/// Begins to speak of a run, until the last speaker is dropped or the run is lost.
pub(super) fn begin(link: Link, attempt: Attempt) -> (Speaker, watch::Receiver<Standing>, tokio::task::JoinHandle<()>) {
    let (sender, said) = mpsc::channel(AHEAD);
    let (standing, watching) = watch::channel(Standing::Ours);
    let speaking = Speaking { link, attempt, said, standing, taken: 0, heard: Instant::now() };
    (Speaker { sender }, watching, tokio::spawn(speaking.go()))
}

struct Speaking {
    link: Link,
    attempt: Attempt,
    said: mpsc::Receiver<Said>,
    standing: watch::Sender<Standing>,
    taken: u64,
    /// When that was said which the server took last.
    heard: Instant,
}

impl Speaking {
    async fn go(mut self) {
        let beat = self.attempt.silence / 6;
        loop {
            let batch = match tokio::time::timeout(beat, self.said.recv()).await {
                Ok(Some(first)) => self.gather(first).await,
                Ok(None) => return,
                // Nothing to say is worth saying: it lives.
                Err(_) => Vec::new(),
            };
            if !self.deliver(batch).await {
                // Whoever still speaks is not kept waiting.
                self.said.close();
                return;
            }
        }
    }

    async fn gather(&mut self, first: Said) -> Vec<Said> {
        let mut bytes = length(&first);
        let mut batch = vec![first];
        let until = Instant::now() + BATCH;
        while bytes < BATCH_BYTES {
            let Ok(Some(said)) = tokio::time::timeout_at(until, self.said.recv()).await else { break };
            bytes += length(&said);
            batch.push(said);
        }
        batch
    }

    /// Says it until it is taken; false when the run is lost.
    async fn deliver(&mut self, mut batch: Vec<Said>) -> bool {
        let ends = batch.iter().any(|said| matches!(said, Said::Ended { .. }));
        let (mut pause, mut tried) = (Duration::from_millis(100), false);
        loop {
            let (begun, until) = (Instant::now(), self.heard + self.attempt.silence);
            let asked = self.link.say(self.attempt.id, &self.attempt.token, self.taken, &batch);
            // An answer that does not come in time is none; what swallowed it may not swallow the next, and at the end of the server's
            // patience another runner has the run.
            let answer = tokio::time::timeout_at(until.min(begun + self.attempt.silence / 3), asked).await;
            match answer.unwrap_or_else(|_| Err(LinkError::Unreached("no answer in time".to_owned()))) {
                Ok(told) => {
                    self.heard = begun;
                    if told.stop {
                        self.standing.send_if_modified(|standing| std::mem::replace(standing, Standing::Stopped) == Standing::Ours);
                    }
                    let new = usize::try_from(told.next.saturating_sub(self.taken)).unwrap_or(usize::MAX);
                    self.taken = told.next;
                    if new >= batch.len() {
                        return true;
                    }
                    batch.drain(..new);
                }
                // The end was taken, and only the answer got lost.
                Err(LinkError::NotOurs) if ends && tried => return true,
                Err(LinkError::Unreached(_)) if Instant::now() < until => {
                    tried = true;
                    tokio::time::sleep_until(until.min(Instant::now() + pause)).await;
                    pause = (pause * 2).min(AGAIN);
                }
                Err(_) => {
                    self.standing.send_replace(Standing::Lost);
                    return false;
                }
            }
        }
    }
}

fn length(said: &Said) -> usize {
    match said {
        Said::Out(line) | Said::Err(line) => line.len(),
        Said::Ended { .. } => 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::RunnerOptions;
    use net::client::{ClientOptions, Trust, Url};
    use std::sync::Arc;

    #[tokio::test]
    async fn over_a_connection_that_swallows_all_a_run_is_lost_when_the_server_gives_it_away() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let server = Url::parse(&format!("http://{}", listener.local_addr().expect("an address"))).expect("a URL");
        let swallowing = tokio::spawn(async move {
            let mut connections = Vec::new();
            while let Ok((connection, _)) = listener.accept().await {
                connections.push(connection);
            }
        });
        let options = RunnerOptions {
            server,
            trust: Trust::Unchecked,
            client: ClientOptions::default(),
            token: "token".into(),
            name: "r".into(),
            work: "/nonexistent".into(),
            git: crate::Git::default(),
            program: "/bin/true".into(),
            before: Vec::new(),
            after: Vec::new(),
            environment: Vec::new(),
            grace: Duration::ZERO,
            leaves: Arc::new(|| false),
            say: Arc::new(|_| {}),
        };
        let silence = Duration::from_secs(3);
        let attempt = Attempt { id: RunId(1), token: "t".into(), silence };
        let (begun, (_speaker, mut standing, _)) = (Instant::now(), begin(Link::new(&options), attempt));
        standing.wait_for(|standing| *standing == Standing::Lost).await.expect("lost");
        let elapsed = begun.elapsed();
        assert!(elapsed >= silence && elapsed < silence + Duration::from_secs(2), "{elapsed:?}");
        swallowing.abort();
    }
}
