//! A log over a WebSocket: its bytes as messages. Source: apimachinery `pkg/util/httpstream/wsstream` Reader.

use super::{Protocol, upgrade, web_socket};
use crate::core::Core;
use crate::respond::Answer;
use crate::subresource::log::Lines;
use futures::{SinkExt, StreamExt};
use http::{HeaderMap, Request};
use hyper::body::Incoming;
use k8s::ApiError;
use std::sync::Arc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

const BINARY: &str = "binary.k8s.io";

/// Whether the client wants a WebSocket.
pub fn is_web_socket(headers: &HeaderMap) -> bool {
    headers.get("upgrade").and_then(|value| value.to_str().ok()).is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

/// Takes the connection over and sends the log.
///
/// # Errors
/// 400 for a protocol that is not spoken here.
pub fn answer(core: &Arc<Core>, request: Request<Incoming>, mut lines: Lines) -> Result<Answer, ApiError> {
    let offered = request.headers().get("sec-websocket-protocol").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let name = match offered {
        "" => "",
        offered if offered.split(',').any(|offer| offer.trim() == BINARY) => BINARY,
        other => return Err(ApiError::bad_request(format!("no WebSocket protocol of those offered is spoken here: {other}"))),
    };
    upgrade(core, request, &Protocol::Messages { name }, move |io| async move {
        let (mut sink, mut stream) = web_socket(io).await.split();
        let send = async {
            while let Some(part) = lines.next().await {
                if sink.send(Message::Binary(part)).await.is_err() {
                    return;
                }
            }
            let _ = sink.send(Message::Close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() }))).await;
        };
        // Nothing that a client says is of interest, but that it leaves.
        let left = async { while let Some(Ok(_)) = stream.next().await {} };
        tokio::select! {
            () = send => {}
            () = left => {}
        }
    })
}
