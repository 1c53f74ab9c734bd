//! What happens inside pods: logs, commands, ports.

use crate::connect::Request;
use crate::error::translate;
use crate::{Cluster, Error, Resource, Result};
use futures::stream::BoxStream;
use futures::{AsyncBufReadExt, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess, TerminalSize};
use tokio::io::{AsyncRead, AsyncWrite};

/// Which lines of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Logs {
    /// The container; empty where the pod has one.
    pub container: String,
    /// Only the last lines.
    pub tail: Option<u32>,
    /// Those of the container before its last restart.
    pub previous: bool,
    /// With the time of each line.
    pub timestamps: bool,
    /// Only lines of the last seconds.
    pub since_seconds: Option<u32>,
    /// At most this many bytes.
    pub limit_bytes: Option<u32>,
}

/// A command to run in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exec {
    /// The container; empty where the pod has one.
    pub container: String,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Whether it reads.
    pub stdin: bool,
    /// Whether it has a terminal; standard error then comes with standard output.
    pub tty: bool,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The exit code; 0 for success.
    pub code: i32,
    /// What the server said of a failure that is not the command's own.
    pub message: String,
}

/// A command that runs in a container.
pub struct Process {
    inner: AttachedProcess,
    server: String,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("server", &self.server).finish_non_exhaustive()
    }
}

impl Process {
    /// Its standard input; once, and only where it was asked for. Dropping it ends the input.
    pub fn stdin(&mut self) -> Option<impl AsyncWrite + Unpin + Send + use<>> {
        self.inner.stdin()
    }

    /// Its standard output; once.
    pub fn stdout(&mut self) -> Option<impl AsyncRead + Unpin + Send + use<>> {
        self.inner.stdout()
    }

    /// Its standard error; once, and only without a terminal.
    pub fn stderr(&mut self) -> Option<impl AsyncRead + Unpin + Send + use<>> {
        self.inner.stderr()
    }

    /// A channel that takes the terminal's width and height in characters; once, and only with a terminal.
    pub fn resizer(&mut self) -> Option<tokio::sync::mpsc::Sender<(u16, u16)>> {
        let mut sizes = self.inner.terminal_size()?;
        let (sender, mut receiver) = tokio::sync::mpsc::channel::<(u16, u16)>(4);
        tokio::spawn(async move {
            use futures::SinkExt;
            while let Some((width, height)) = receiver.recv().await {
                if sizes.send(TerminalSize { width, height }).await.is_err() {
                    break;
                }
            }
        });
        Some(sender)
    }

    /// Waits for its end. Standard output and error must have been taken and read, or it may never end.
    ///
    /// # Errors
    /// When the connection breaks before the end.
    pub async fn wait(mut self) -> Result<Ended> {
        let status = self.inner.take_status();
        let status = match status {
            Some(status) => status.await,
            None => None,
        };
        let broken = |why: String| Error::Unreachable { server: self.server.clone(), why };
        let status = status.ok_or_else(|| broken("the connection broke before the command ended".to_owned()))?;
        if status.status.as_deref() == Some("Success") {
            return Ok(Ended { code: 0, message: String::new() });
        }
        let causes = status.details.and_then(|details| details.causes).unwrap_or_default().into_iter();
        let mut exits = causes.filter(|cause| cause.reason.as_deref() == Some("ExitCode"));
        let code = exits.find_map(|cause| cause.message?.parse().ok());
        Ok(Ended { code: code.unwrap_or(126), message: if code.is_some() { String::new() } else { status.message.unwrap_or_default() } })
    }
}

impl Cluster {
    /// A pod's log as it is now.
    ///
    /// # Errors
    /// When there is no such pod or log, or the server cannot be reached.
    pub async fn logs(&self, namespace: &str, pod: &str, which: &Logs) -> Result<String> {
        let request = log_request(namespace, pod, which).build(&self.server)?;
        self.client.request_text(request).await.map_err(|error| translate(&self.server, error))
    }

    /// A pod's log, line by line as it grows, until the container ends.
    ///
    /// # Errors
    /// When there is no such pod or log, or the server cannot be reached; also as items of the stream.
    pub async fn follow_logs(&self, namespace: &str, pod: &str, which: &Logs) -> Result<BoxStream<'static, Result<String>>> {
        let request = log_request(namespace, pod, which).with("follow", "true").build(&self.server)?;
        let server = self.server.clone();
        let stream = self.client.request_stream(request).await.map_err(|error| translate(&server, error))?;
        let lines = Box::pin(stream).lines();
        Ok(lines.map(move |line| line.map_err(|error| Error::Unreachable { server: server.to_string(), why: error.to_string() })).boxed())
    }

    /// Runs a command in a container.
    ///
    /// # Errors
    /// When there is no such pod, or the server refuses or cannot be reached.
    pub async fn exec(&self, namespace: &str, pod: &str, what: &Exec) -> Result<Process> {
        let container = Some(what.container.clone()).filter(|name| !name.is_empty());
        let params =
            AttachParams { container, stdin: what.stdin, stdout: true, stderr: !what.tty, tty: what.tty, ..AttachParams::default() };
        let inner = self.pods(namespace).exec(pod, what.command.iter().map(String::as_str), &params).await;
        Ok(Process { inner: inner.map_err(|error| translate(&self.server, error))?, server: self.server.to_string() })
    }

    /// Opens a connection to a port of a pod.
    ///
    /// # Errors
    /// When there is no such pod, or the server refuses or cannot be reached.
    pub async fn port_forward(&self, namespace: &str, pod: &str, port: u16) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>> {
        let mut forwarder = self.pods(namespace).portforward(pod, &[port]).await.map_err(|error| translate(&self.server, error))?;
        let missing = || Error::Answer { server: self.server.to_string(), why: format!("no stream for port {port}") };
        let stream = forwarder.take_stream(port).ok_or_else(missing)?;
        // The task that moves bytes lives as long as the forwarder is joined.
        tokio::spawn(forwarder.join());
        Ok(stream)
    }

    fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.client.clone(), namespace)
    }
}

fn log_request(namespace: &str, pod: &str, which: &Logs) -> Request {
    let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    let flag = |set: bool| if set { "true" } else { "" };
    let path = format!("{}/log", Resource::from(k8s::kinds::POD).path(namespace, pod));
    let request = Request::get(path).with("container", &which.container).with("tailLines", &number(which.tail));
    let request = request.with("previous", flag(which.previous)).with("timestamps", flag(which.timestamps));
    request.with("sinceSeconds", &number(which.since_seconds)).with("limitBytes", &number(which.limit_bytes))
}
