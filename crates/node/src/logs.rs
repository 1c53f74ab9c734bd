//! Reads what containers wrote: CRI log files, rotated ones too, from a point on, and on as they grow.

mod follow;
mod reader;
#[cfg(test)]
mod tests;

use crate::manager::NodeManager;
use crate::streams::StreamError;
use base::Timestamp;
use bytes::Bytes;
use futures::stream::BoxStream;
use std::io;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// What to read. Source: core/v1 `PodLogOptions`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Goes on until the container ends.
    pub follow: bool,
    /// The attempt before the newest.
    pub previous: bool,
    /// Only lines written since.
    pub since: Option<Timestamp>,
    /// Each line begins with its time.
    pub timestamps: bool,
    /// Only so many last lines.
    pub tail_lines: Option<u64>,
    /// Only so many bytes.
    pub limit_bytes: Option<u64>,
    /// Only this stream.
    pub stream: Option<LogSource>,
}

/// Where a line was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogSource {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Text as it comes; ends with the log, or, when followed, with the container.
pub type LogStream = BoxStream<'static, io::Result<Bytes>>;

impl NodeManager {
    /// The log of a container; the only one when `container` is `None`.
    ///
    /// # Errors
    /// When there is no such pod or container, or it has not run.
    pub fn logs(&self, namespace: &str, pod: &str, container: Option<&str>, options: LogOptions) -> Result<LogStream, StreamError> {
        let view = self.view(namespace, pod)?;
        let name = view.container_name(container)?;
        let seen = view.containers.get(&name);
        let newest = seen.and_then(|seen| seen.attempt);
        let attempt = if options.previous { newest.and_then(|newest| newest.checked_sub(1)) } else { newest };
        let Some(attempt) = attempt else {
            return Err(StreamError::BadRequest(if options.previous {
                format!("previous terminated container \"{name}\" in pod \"{pod}\" not found")
            } else {
                let reason = seen.map_or("ContainerCreating", |seen| seen.waiting.as_str());
                format!("container \"{name}\" in pod \"{pod}\" is waiting to start: {reason}")
            }));
        };
        let path = self.shared.config.log_file((namespace, pod, &view.pod.uid), &name, attempt);
        let (sender, receiver) = mpsc::channel(4);
        let options = LogOptions { follow: options.follow && !options.previous, ..options };
        let watched = follow::Watched {
            shared: self.shared.clone(),
            uid: view.pod.uid.clone(),
            key: (namespace.into(), pod.into()),
            container: name,
            attempt,
        };
        tokio::spawn(async move {
            if let Err(error) = follow::pump(path, &options, Some(&watched), &sender).await {
                let _ = sender.send(Err(error)).await;
            }
        });
        Ok(stream(receiver))
    }
}

fn stream(mut receiver: mpsc::Receiver<io::Result<Bytes>>) -> LogStream {
    Box::pin(futures::stream::poll_fn(move |context| receiver.poll_recv(context)))
}

/// The files of one attempt that are there, the oldest first.
pub(crate) fn files(current: &Path) -> Vec<PathBuf> {
    let rotated = |number: u32| {
        let mut name = current.as_os_str().to_owned();
        name.push(format!(".{number}"));
        PathBuf::from(name)
    };
    let mut found: Vec<PathBuf> = (1..1_000).map(rotated).take_while(|path| path.exists()).collect();
    found.reverse();
    found.extend(Some(current.to_owned()).filter(|path| path.exists()));
    found
}
