//! Answers, whose connection goes back to the pool once they are read.

use super::error::{ClientError, ClientErrorKind};
use super::pool::{Key, Pool, Sender};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use std::sync::Arc;
use std::time::Duration;

/// An answer. Dropped before its end, the connection is closed.
#[derive(Debug)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    body: Incoming,
    key: Key,
    sender: Option<Sender>,
    pool: Arc<Pool>,
    stall: Duration,
}

/// What is read of an answer that nobody wants, to keep its connection.
const MAX_DISCARDED: usize = 64 << 10;

impl Reply {
    pub(crate) fn new(response: Response<Incoming>, key: Key, sender: Sender, pool: Arc<Pool>, stall: Duration) -> Self {
        let (head, body) = response.into_parts();
        let mut reply = Self { status: head.status, headers: head.headers, body, key, sender: Some(sender), pool, stall };
        if reply.body.is_end_stream() {
            reply.recycle();
        }
        reply
    }

    /// A header as text; `None` also when it is none.
    pub fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The next bytes of the body; `None` at its end.
    ///
    /// # Errors
    /// When the connection breaks or falls silent.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            let frame = tokio::time::timeout(self.stall, self.body.frame()).await;
            let frame = frame.map_err(|_| ClientError::slow(&self.key.origin, "the next part of the answer", self.stall))?;
            match frame {
                None => {
                    self.recycle();
                    return Ok(None);
                }
                Some(Err(error)) => return Err(ClientError::broken(&self.key.origin, &error)),
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if self.body.is_end_stream() {
                        self.recycle();
                    }
                    if !data.is_empty() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// The whole body, of at most `limit_bytes`.
    ///
    /// # Errors
    /// Also when it is longer.
    pub async fn bytes(mut self, limit_bytes: usize) -> Result<Bytes, ClientError> {
        let too_large =
            |key: &Key| ClientError::new(ClientErrorKind::TooLarge, &key.origin, format!("the answer is longer than {limit_bytes} bytes"));
        if usize::try_from(self.body.size_hint().lower()).map_or(true, |length| length > limit_bytes) {
            return Err(too_large(&self.key));
        }
        let mut whole = BytesMut::new();
        while let Some(part) = self.chunk().await? {
            if whole.len().saturating_add(part.len()) > limit_bytes {
                return Err(too_large(&self.key));
            }
            whole.extend_from_slice(&part);
        }
        Ok(whole.freeze())
    }

    /// Reads what little is left, so that the connection can be used again.
    pub async fn discard(self) {
        let _ = self.bytes(MAX_DISCARDED).await;
    }

    fn recycle(&mut self) {
        if let Some(sender) = self.sender.take() {
            self.pool.give(self.key.clone(), sender);
        }
    }
}
