//! Connections that wait for their next request.

use super::Trust;
use super::connect::Io;
use super::error::ClientError;
use super::payload::PayloadBody;
use super::url::Origin;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(crate) type Sender = SendRequest<PayloadBody>;

/// What connections are shared by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub origin: Origin,
    pub trust: Trust,
}

#[derive(Debug, Default)]
pub(crate) struct Pool {
    idle: Mutex<HashMap<Key, Vec<(Instant, Sender)>>>,
}

/// Servers and what stands before them close idle connections after about a minute.
const IDLE: Duration = Duration::from_secs(30);
const MAX_IDLE: usize = 16;

impl Pool {
    pub(crate) fn take(&self, key: &Key) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle.get_mut(key)?;
        while let Some((since, sender)) = waiting.pop() {
            if since.elapsed() < IDLE && !sender.is_closed() {
                return Some(sender);
            }
        }
        None
    }

    pub(crate) fn give(&self, key: Key, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle.entry(key).or_default();
        waiting.retain(|(since, sender)| since.elapsed() < IDLE && !sender.is_closed());
        if waiting.len() < MAX_IDLE {
            waiting.push((Instant::now(), sender));
        }
    }
}

pub(crate) async fn handshake(origin: &Origin, io: Box<dyn Io>) -> Result<Sender, ClientError> {
    let (sender, connection) =
        http1::Builder::new().handshake(TokioIo::new(io)).await.map_err(|error| ClientError::broken(origin, &error))?;
    // Ends with the connection, which ends when its sender is gone; what breaks it is told to whoever waits for an answer.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}
