//! Streams by channel number: the first byte of each binary WebSocket message. Source: `remotecommand/websocket.go` of client-go.

use super::Io;
use bytes::Bytes;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// The channel whose message names another that its writer has closed.
const CLOSE: u8 = 255;
/// Bytes of one message.
const PART: usize = 32 << 10;
/// Bytes that wait between the two sides of a channel.
pub(super) const BUFFER: usize = 64 << 10;

/// The channels of a connection by number.
#[derive(Default)]
pub(super) struct Channels {
    /// What the client writes goes here.
    pub(super) inward: BTreeMap<u8, DuplexStream>,
    /// What is read from here goes to the client.
    pub(super) outward: BTreeMap<u8, DuplexStream>,
    /// Whether an outward channel that ends is told (version 5 of port-forward).
    pub(super) tell_close: bool,
}

/// Moves messages until all outward channels have ended or the client leaves.
pub(super) async fn pump(socket: WebSocketStream<Io>, channels: Channels, closes: bool) {
    let (sink, stream) = socket.split();
    let (sender, messages) = mpsc::channel(8);
    let tell_close = channels.tell_close && closes;
    for (number, from) in channels.outward {
        tokio::spawn(outward(number, from, sender.clone(), tell_close));
    }
    let pong = sender.downgrade();
    drop(sender);
    tokio::select! {
        () = write(sink, messages) => {}
        () = read(stream, channels.inward, closes, pong) => {}
    }
}

async fn write(mut sink: SplitSink<WebSocketStream<Io>, Message>, mut messages: mpsc::Receiver<Message>) {
    while let Some(message) = messages.recv().await {
        if sink.send(message).await.is_err() {
            return;
        }
    }
    let normal = CloseFrame { code: CloseCode::Normal, reason: "".into() };
    let _ = sink.send(Message::Close(Some(normal))).await;
    let _ = sink.flush().await;
}

async fn outward(number: u8, mut from: DuplexStream, sender: mpsc::Sender<Message>, tell_close: bool) {
    loop {
        let mut part = Vec::with_capacity(PART);
        part.push(number);
        match (&mut from).take(PART as u64 - 1).read_buf(&mut part).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        if sender.send(Message::Binary(Bytes::from(part))).await.is_err() {
            return;
        }
    }
    if tell_close {
        let _ = sender.send(Message::Binary(Bytes::copy_from_slice(&[CLOSE, number]))).await;
    }
}

async fn read(
    mut stream: SplitStream<WebSocketStream<Io>>,
    mut inward: BTreeMap<u8, DuplexStream>,
    closes: bool,
    pong: mpsc::WeakSender<Message>,
) {
    while let Some(Ok(message)) = stream.next().await {
        let bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Ping(payload) => {
                if let Some(pong) = pong.upgrade() {
                    let _ = pong.send(Message::Pong(payload)).await;
                }
                continue;
            }
            Message::Close(_) => return,
            _ => continue,
        };
        match bytes.split_first() {
            Some((&CLOSE, [number])) if closes => drop(inward.remove(number)),
            Some((number, data)) => {
                // A reader that has ended needs no more; the rest of the channel is dropped.
                if let Some(channel) = inward.get_mut(number)
                    && channel.write_all(data).await.is_err()
                {
                    inward.remove(number);
                }
            }
            None => {}
        }
    }
}
