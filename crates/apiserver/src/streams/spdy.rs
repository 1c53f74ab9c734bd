//! SPDY/3.1, the server's side, as far as clients of Kubernetes use it: streams that the client opens, data, half-close,
//! reset, ping. Like the client's own library it neither keeps nor counts flow control windows.
//!
//! Source: the SPDY protocol, draft 3.1; moby/spdystream for what is on the wire.

mod frame;
mod headers;

use super::channels::BUFFER;
use frame::{Frame, read_frame};
use headers::{Compressor, Decompressor};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::{mpsc, watch};

/// Streams at once.
const STREAMS: usize = 512;

/// A stream that the client opened.
pub(super) struct SpdyStream {
    headers: BTreeMap<String, String>,
    /// Its data in both directions.
    pub(super) io: DuplexStream,
}

impl SpdyStream {
    /// One header, by its lower-case name.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// A connection. Dropping it ends all its streams.
pub(super) struct Session {
    opened: mpsc::Receiver<SpdyStream>,
    frames: mpsc::Sender<Frame>,
    gone: watch::Receiver<bool>,
    writer: tokio::task::JoinHandle<()>,
    reader: tokio::task::JoinHandle<()>,
    /// Streams whose data is still on its way out.
    flowing: watch::Receiver<usize>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

type Inward = Arc<Mutex<BTreeMap<u32, mpsc::Sender<Vec<u8>>>>>;

impl Session {
    /// Begins on a connection that was upgraded.
    pub(super) fn begin<S>(io: S) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (from, to) = split(io);
        let (open, opened) = mpsc::channel(16);
        let (frames, outgoing) = mpsc::channel(32);
        let (leave, gone) = watch::channel(false);
        let (flow, flowing) = watch::channel(0);
        let writer = tokio::spawn(write(to, outgoing));
        let reading = Reading { frames: frames.clone(), open, inward: Inward::default(), flow: Arc::new(flow) };
        let reader = tokio::spawn(async move {
            reading.run(from).await;
            leave.send_replace(true);
        });
        Self { opened, frames, gone, writer, reader, flowing }
    }

    /// The next stream that the client opens; nothing when it has left.
    pub(super) async fn accept(&mut self) -> Option<SpdyStream> {
        self.opened.recv().await
    }

    /// Resolves when the client has left.
    pub(super) async fn gone(&self) {
        let _ = self.gone.clone().wait_for(|gone| *gone).await;
    }

    /// Sends what is on its way, says goodbye and closes.
    pub(super) async fn finish(mut self) {
        let empty = async {
            let _ = self.flowing.wait_for(|count| *count == 0).await;
            let _ = self.frames.send(Frame::GoAway).await;
        };
        // A client that does not read is not waited for longer.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(10), empty).await;
        self.reader.abort();
        let Self { ref mut writer, .. } = self;
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), writer).await;
    }
}

struct Reading {
    frames: mpsc::Sender<Frame>,
    open: mpsc::Sender<SpdyStream>,
    inward: Inward,
    flow: Arc<watch::Sender<usize>>,
}

impl Reading {
    async fn run<S: AsyncRead>(self, mut from: ReadHalf<S>) {
        let mut headers = Decompressor::new();
        while let Some(frame) = read_frame(&mut from, &mut headers).await {
            match frame {
                Frame::Open { id, headers, fin } => {
                    if self.start(id, headers, fin).await.is_none() {
                        return;
                    }
                }
                Frame::Data { id, bytes, fin } => {
                    let stream = self.streams().get(&id).cloned();
                    // Bounded: a stream that is not read holds the connection, as it does in the client's library.
                    if let Some(stream) = stream.filter(|_| !bytes.is_empty()) {
                        let _ = stream.send(bytes).await;
                    }
                    if fin {
                        self.streams().remove(&id);
                    }
                }
                Frame::Reset { id } => drop(self.streams().remove(&id)),
                Frame::Ping { id } => {
                    if self.frames.send(Frame::Ping { id }).await.is_err() {
                        return;
                    }
                }
                Frame::GoAway => return,
                Frame::Accepted { .. } | Frame::Other => {}
            }
        }
    }

    fn streams(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, mpsc::Sender<Vec<u8>>>> {
        self.inward.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn start(&self, id: u32, headers: BTreeMap<String, String>, fin: bool) -> Option<()> {
        if self.streams().len() >= STREAMS {
            return self.frames.send(Frame::Reset { id }).await.ok();
        }
        let (ours, theirs) = duplex(BUFFER);
        let (from, to) = split(theirs);
        let (sender, data) = mpsc::channel(32);
        if !fin {
            self.streams().insert(id, sender);
        }
        self.frames.send(Frame::Accepted { id }).await.ok()?;
        self.flow.send_modify(|count| *count += 1);
        tokio::spawn(inward(data, to));
        tokio::spawn(outward(id, from, self.frames.clone(), self.flow.clone()));
        self.open.send(SpdyStream { headers, io: ours }).await.ok()
    }
}

async fn inward(mut data: mpsc::Receiver<Vec<u8>>, mut to: WriteHalf<DuplexStream>) {
    while let Some(bytes) = data.recv().await {
        if to.write_all(&bytes).await.is_err() {
            // The reader has ended: the rest is taken and dropped, so that other streams go on.
            while data.recv().await.is_some() {}
            return;
        }
    }
    let _ = to.shutdown().await;
}

async fn outward(id: u32, mut from: ReadHalf<DuplexStream>, frames: mpsc::Sender<Frame>, flow: Arc<watch::Sender<usize>>) {
    loop {
        let mut bytes = Vec::with_capacity(16 << 10);
        match from.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        if frames.send(Frame::Data { id, bytes, fin: false }).await.is_err() {
            break;
        }
    }
    let _ = frames.send(Frame::Data { id, bytes: Vec::new(), fin: true }).await;
    flow.send_modify(|count| *count -= 1);
}

async fn write<S: AsyncWrite>(mut to: WriteHalf<S>, mut frames: mpsc::Receiver<Frame>) {
    let mut headers = Compressor::new();
    while let Some(frame) = frames.recv().await {
        let last = matches!(frame, Frame::GoAway);
        if to.write_all(&frame.encode(&mut headers)).await.is_err() || to.flush().await.is_err() || last {
            break;
        }
    }
    let _ = to.shutdown().await;
}
