//! This terminal: a command in a container with its streams, and passwords read from it.

use crate::workloads::problem;
use base::{Problem, ProblemKind};
use cluster::{Cluster, Exec};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use std::io::Read;
use std::process::ExitCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::error::TrySendError;

/// Runs it; the answer is its own exit code, or 125 to 127 as docker uses them.
///
/// # Errors
/// When it cannot be started, or the connection breaks.
pub async fn exec(cluster: &Cluster, namespace: &str, pod: &str, what: Exec) -> Result<ExitCode, Problem> {
    let _raw = what.tty.then(Raw::enter);
    let mut process = cluster.exec(namespace, pod, &what).await.map_err(problem)?;
    if let Some(resizer) = process.resizer() {
        tokio::spawn(follow_size(move |size| !matches!(resizer.try_send(size), Err(TrySendError::Closed(_)))));
    }
    if let Some(stdin) = process.stdin() {
        feed(stdin);
    }
    let (stdout, stderr) = (process.stdout(), process.stderr());
    let out = tokio::spawn(show(stdout, false));
    let err = tokio::spawn(show(stderr, true));
    let ended = process.wait().await.map_err(problem)?;
    let _ = tokio::join!(out, err);
    if !ended.message.is_empty() {
        return Err(Problem::new(ProblemKind::Target, ended.message));
    }
    Ok(ExitCode::from(u8::try_from(ended.code).unwrap_or(u8::MAX)))
}

async fn show(stream: Option<impl AsyncRead + Unpin>, error: bool) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; 32 << 10];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        let bytes = buffer.get(..read).unwrap_or_default();
        let written = if error { tokio::io::stderr().write_all(bytes).await } else { write_out(bytes).await };
        if written.is_err() {
            return;
        }
    }
}

async fn write_out(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = tokio::io::stdout();
    out.write_all(bytes).await?;
    out.flush().await
}

/// Standard input is read by a thread of its own: a read of a terminal cannot be called off.
pub fn feed(mut to: impl tokio::io::AsyncWrite + Unpin + Send + 'static) {
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Vec<u8>>(4);
    std::thread::spawn(move || {
        let mut buffer = [0; 8 << 10];
        while let Ok(read @ 1..) = std::io::stdin().lock().read(&mut buffer) {
            if sender.blocking_send(buffer.get(..read).unwrap_or_default().to_vec()).is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some(bytes) = receiver.recv().await {
            if to.write_all(&bytes).await.and(to.flush().await).is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    });
}

/// Puts a container's terminal in the place of this one until its last program ends.
pub async fn in_terminal(streams: runtime::Streams) {
    let _raw = Raw::enter();
    if let Some(resizer) = streams.resize {
        tokio::spawn(follow_size(move |size| resizer.send(size).is_ok()));
    }
    if let Some(stdin) = streams.stdin {
        feed(stdin);
    }
    show(Some(streams.stdout), false).await;
}

async fn follow_size(send: impl Fn((u16, u16)) -> bool) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut changes) = signal(SignalKind::window_change()) else { return };
    loop {
        if let Ok(size) = tcgetwinsize(std::io::stdout())
            && !send((size.ws_col, size.ws_row))
        {
            return;
        }
        if changes.recv().await.is_none() {
            return;
        }
    }
}

/// The terminal hands every key over as it is; put back when dropped.
struct Raw(Option<Termios>);

/// Reads from the terminal while it shows nothing of what is typed.
pub fn without_echo<T>(read: impl FnOnce() -> T) -> T {
    let _silent = Raw::silence();
    read()
}

impl Raw {
    fn silence() -> Self {
        let before = tcgetattr(std::io::stdin()).ok();
        if let Some(before) = &before {
            let mut silent = before.clone();
            silent.local_modes.remove(LocalModes::ECHO);
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &silent);
        }
        Self(before)
    }

    fn enter() -> Self {
        let before = tcgetattr(std::io::stdin()).ok();
        if let Some(before) = &before {
            let mut raw = before.clone();
            raw.make_raw();
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &raw);
        }
        Self(before)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}
