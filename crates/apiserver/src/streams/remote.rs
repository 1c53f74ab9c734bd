//! A process's streams and a client's, joined. Source: kubernetes `pkg/kubelet/cri/streaming/remotecommand`.

use super::channels::{self, BUFFER, Channels};
use super::spdy::Session;
use super::{Io, Wanted};
use k8s::Value;
use runtime::{RuntimeError, Streams};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio_tungstenite::WebSocketStream;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;

/// The client's ends.
struct Client {
    stdin: Option<DuplexStream>,
    stdout: Option<DuplexStream>,
    stderr: Option<DuplexStream>,
    error: DuplexStream,
    resize: Option<DuplexStream>,
}

/// Over WebSocket channels.
pub(super) async fn channels(socket: WebSocketStream<Io>, wanted: Wanted, (closes, plain): (bool, bool), streams: Streams) {
    let mut ends = BTreeMap::new();
    let mut channels = Channels::default();
    for (number, is_wanted, inward) in [
        (STDIN, wanted.stdin, true),
        (STDOUT, wanted.stdout, false),
        (STDERR, wanted.stderr, false),
        (ERROR, true, false),
        (RESIZE, wanted.terminal, true),
    ] {
        if is_wanted {
            let (ours, theirs) = duplex(BUFFER);
            ends.insert(number, ours);
            if inward {
                channels.inward.insert(number, theirs)
            } else {
                channels.outward.insert(number, theirs)
            };
        }
    }
    let Some(error) = ends.remove(&ERROR) else { return };
    let client = Client {
        stdin: ends.remove(&STDIN),
        stdout: ends.remove(&STDOUT),
        stderr: ends.remove(&STDERR),
        error,
        resize: ends.remove(&RESIZE),
    };
    tokio::select! {
        // The pump ends after the last byte was sent, or when the client leaves; then so does the joining.
        () = channels::pump(socket, channels, closes) => {}
        () = join_then_wait(client, streams, plain) => {}
    }
}

async fn join_then_wait(client: Client, streams: Streams, plain: bool) {
    join(client, streams, plain).await;
    std::future::pending::<()>().await;
}

/// How long a client may take to open its streams. Source: kubelet's `streamCreationTimeout`.
const OPENING: Duration = Duration::from_secs(30);

/// Over SPDY: the client opens one stream for each.
pub(super) async fn spdy(io: Io, wanted: Wanted, streams: Streams) {
    let mut session = Session::begin(io);
    let expected = 1 + [wanted.stdin, wanted.stdout, wanted.stderr, wanted.terminal].into_iter().filter(|wanted| *wanted).count();
    let open = async {
        let mut opened = BTreeMap::new();
        while opened.len() < expected {
            let stream = session.accept().await?;
            opened.insert(stream.header("streamtype").to_owned(), stream.io);
        }
        Some(opened)
    };
    let Ok(Some(mut opened)) = tokio::time::timeout(OPENING, open).await else { return };
    let Some(error) = opened.remove("error") else { return };
    let client = Client {
        stdin: opened.remove("stdin"),
        stdout: opened.remove("stdout"),
        stderr: opened.remove("stderr"),
        error,
        resize: opened.remove("resize"),
    };
    tokio::select! {
        () = join(client, streams, false) => session.finish().await,
        () = session.gone() => {}
    }
}

/// Joins both sides until the process has ended and all it wrote is passed on; then says how it ended.
async fn join(client: Client, streams: Streams, plain: bool) {
    let Streams { stdin, stdout, stderr, resize, exit } = streams;
    if let (Some(from), Some(to)) = (client.stdin, stdin) {
        tokio::spawn(copy(from, to));
    }
    if let (Some(from), Some(to)) = (client.resize, resize) {
        tokio::spawn(sizes(from, to));
    }
    let out = async {
        match client.stdout {
            Some(to) => copy(stdout, to).await,
            None => copy(stdout, tokio::io::sink()).await,
        }
    };
    let err = async {
        match (stderr, client.stderr) {
            (Some(from), Some(to)) => copy(from, to).await,
            (Some(from), None) => copy(from, tokio::io::sink()).await,
            (None, _) => {}
        }
    };
    let ((), (), exit) = tokio::join!(out, err, exit);
    let mut error = client.error;
    let status = status(exit.unwrap_or_else(|_| Err(RuntimeError::NotRunning("the container".to_owned()))));
    // The first version of the protocol knows no status: it says what went wrong, or nothing.
    let told = if plain { status["message"].as_str().unwrap_or_default().to_owned() } else { status.to_string() };
    let _ = error.write_all(told.as_bytes()).await;
    let _ = error.shutdown().await;
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut buffer = vec![0; 32 << 10];
    loop {
        match from.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(length) => {
                let Some(part) = buffer.get(..length) else { break };
                if to.write_all(part).await.is_err() || to.flush().await.is_err() {
                    // Whoever writes must not be held up by a reader that left.
                    let _ = tokio::io::copy(&mut from, &mut tokio::io::sink()).await;
                    return;
                }
            }
        }
    }
    let _ = to.shutdown().await;
}

/// Terminal sizes: JSON objects one after the other.
async fn sizes(mut from: DuplexStream, to: tokio::sync::mpsc::UnboundedSender<(u16, u16)>) {
    let mut text = Vec::new();
    while matches!(from.read_buf(&mut text).await, Ok(length) if length > 0) {
        let mut read = serde_json::Deserializer::from_slice(&text).into_iter::<Value>();
        let mut used = 0;
        while let Some(Ok(size)) = read.next() {
            used = read.byte_offset();
            let side = |name: &str| size.get(name).and_then(Value::as_u64).and_then(|side| u16::try_from(side).ok());
            if let (Some(width), Some(height)) = (side("Width"), side("Height"))
                && to.send((width, height)).is_err()
            {
                return;
            }
        }
        text.drain(..used);
        if text.len() > 4 << 10 {
            return;
        }
    }
}

/// How a process ended, as version 4 and later of the protocol say it.
fn status(exit: Result<i32, RuntimeError>) -> Value {
    match exit {
        Ok(0) => json!({"metadata": {}, "status": "Success"}),
        Ok(code) => json!({"metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
            "message": format!("command terminated with non-zero exit code: exit status {code}"),
            "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]}}),
        Err(error) => json!({"metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
            "message": format!("Internal error occurred: {error}"), "details": {"causes": [{"message": error.to_string()}]}}),
    }
}
