//! A byte stream within the binary messages of a WebSocket: what kubectl's port-forward runs SPDY over.

use super::Io;
use super::channels::BUFFER;
use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// The byte stream of a socket. It ends when the socket does, and the other way round.
pub(super) fn over(socket: WebSocketStream<Io>) -> DuplexStream {
    let (ours, theirs) = duplex(BUFFER);
    tokio::spawn(async move {
        let (mut sink, mut stream) = socket.split();
        let (mut reader, mut writer) = split(theirs);
        let inward = async {
            while let Some(Ok(message)) = stream.next().await {
                match message {
                    Message::Binary(bytes) if writer.write_all(&bytes).await.is_ok() => {}
                    Message::Binary(_) | Message::Close(_) => return,
                    _ => {}
                }
            }
        };
        let outward = async {
            loop {
                let mut part = Vec::with_capacity(32 << 10);
                match reader.read_buf(&mut part).await {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                }
                if sink.send(Message::Binary(Bytes::from(part))).await.is_err() {
                    return;
                }
            }
            let _ = sink.close().await;
        };
        tokio::select! {
            () = inward => {}
            () = outward => {}
        }
    });
    ours
}
