//! A thread of HTTP/2: a task for each request at a time; several may share a connection.

use crate::exchange::Outcome;
use crate::failure::{Answer, Broken, Failure};
use crate::pace::{Own, Turn};
use crate::shared::{Seen, Shared};
use crate::tally::{Asked, Tally};
use crate::timer::Timer;
use bytes::Bytes;
use h2::client::SendRequest;
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::LocalSet;
use tokio_rustls::TlsConnector;

/// A run that is given up ends within this.
const PIECE: Duration = Duration::from_millis(200);
/// Bytes of a failed answer that are kept as an example.
const EXAMPLE: usize = 160;
/// Bytes that a service may send before it waits, on a stream and on a connection.
const WINDOW: u32 = 1 << 20;

/// Works until the turns are over.
///
/// # Errors
/// When this machine gives no descriptors.
pub(crate) fn run(shared: &Arc<Shared>, seen: &Arc<Seen>, connections: usize, streams: usize) -> io::Result<Tally> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tally = Rc::new(RefCell::new(shared.tally()));
    let local = LocalSet::new();
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let lane = Rc::new(Lane::default());
        for _ in 0..streams {
            let worker = Worker { shared: Arc::clone(shared), tally: Rc::clone(&tally), lane: Rc::clone(&lane) };
            let seen = Arc::clone(seen);
            tasks.push(local.spawn_local(async move { worker.work(&seen).await }));
        }
    }
    local.block_on(&runtime, async {
        for task in tasks {
            let _ = task.await;
        }
    });
    // Connections that still live hold no counts.
    drop(local);
    let tally = Rc::into_inner(tally).ok_or_else(|| io::Error::other("a task outlived its thread"))?;
    Ok(tally.into_inner())
}

/// A connection that several tasks share.
#[derive(Default)]
struct Lane {
    open: Mutex<Option<Open>>,
}

#[derive(Clone)]
struct Open {
    send: SendRequest<Bytes>,
    /// Whether it has served a request.
    served: Rc<Cell<bool>>,
}

struct Worker {
    shared: Arc<Shared>,
    tally: Rc<RefCell<Tally>>,
    lane: Rc<Lane>,
}

impl Worker {
    async fn work(self, seen: &Seen) {
        let (mut own, mut timer) = (Own::default(), Timer::new().ok());
        loop {
            let free = self.shared.now();
            let Some(turn) = self.shared.pacer.take(free, &mut own) else { return };
            self.wait(&mut timer, turn).await;
            if self.shared.is_stopped() {
                return;
            }
            self.serve(turn, free).await;
            seen.show(&self.tally.borrow());
        }
    }

    async fn wait(&self, timer: &mut Option<Timer>, turn: Turn) {
        let Some(due) = turn.due.map(|due| self.shared.start + due) else { return };
        while !self.shared.is_stopped() {
            let left = due.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return;
            }
            let until = std::time::Instant::now() + left.min(PIECE);
            match timer {
                Some(timer) => {
                    let _ = timer.until(until).await;
                }
                None => tokio::time::sleep_until(until.into()).await,
            }
        }
    }

    async fn serve(&self, turn: Turn, free: Duration) {
        let asked = Asked { turn, free, sent: self.shared.now() };
        let timeout = self.shared.timeout;
        let outcome = if self.tally.borrow_mut().takes(&asked, timeout) {
            tokio::time::timeout(timeout, self.ask()).await.unwrap_or_else(|_| Err(Broken::too_late(timeout)))
        } else {
            Err(Broken::not_sent())
        };
        self.tally.borrow_mut().ended(&asked, self.shared.now(), outcome);
    }

    async fn ask(&self) -> Outcome {
        let open = self.connection().await?;
        let reused = open.served.get();
        let mut outcome = self.exchange(open).await;
        if reused && self.shared.target.idempotent && matches!(&outcome, Err(broken) if broken.untouched) {
            self.tally.borrow_mut().retried += 1;
            outcome = self.exchange(self.connection().await?).await;
        }
        outcome
    }

    /// The lane's connection; a new one where there is none that can be used.
    async fn connection(&self) -> Result<Open, Broken> {
        if !self.shared.keep_alive {
            return self.open().await;
        }
        // Held while it is opened, so that all of a lane wait for the same one.
        let mut lane = self.lane.open.lock().await;
        if let Some(open) = lane.as_ref() {
            // What has ended while nothing was asked is no failure.
            if let Ok(send) = open.send.clone().ready().await {
                return Ok(Open { send, served: Rc::clone(&open.served) });
            }
        }
        *lane = None;
        let open = self.open().await?;
        *lane = Some(open.clone());
        Ok(open)
    }

    async fn open(&self) -> Result<Open, Broken> {
        self.tally.borrow_mut().connections += 1;
        let address = self.shared.address;
        let failed = |error: io::Error| Broken::new(Failure::of(&error), format!("connect to {address}: {error}"));
        let stream = TcpStream::connect(address).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let Some(secure) = &self.shared.secure else { return speak(stream).await };
        let connector = TlsConnector::from(Arc::clone(&secure.config));
        let stream = connector.connect(secure.name.clone(), stream).await.map_err(failed)?;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(Broken::new(Failure::Protocol, "the service does not take HTTP/2 over TLS"));
        }
        speak(stream).await
    }

    async fn exchange(&self, open: Open) -> Outcome {
        let outcome = exchange(open.send, &self.shared).await;
        open.served.set(open.served.get() || outcome.is_ok());
        outcome.map_err(|(error, untouched)| {
            let broken = broken(&error);
            Broken { untouched: untouched && matches!(broken.kind, Failure::Closed | Failure::Reset), ..broken }
        })
    }
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin + 'static) -> Result<Open, Broken> {
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW * 4).max_header_list_size(64 * 1024).enable_push(false);
    let (send, connection) = builder.handshake(stream).await.map_err(|error| broken(&error))?;
    // It ends with the last that uses it, or tells the requests on it why not.
    tokio::task::spawn_local(async move {
        let _ = connection.await;
    });
    Ok(Open { send, served: Rc::default() })
}

/// The answer, or why there is none and whether nothing of it had come.
async fn exchange(mut send: SendRequest<Bytes>, shared: &Shared) -> Result<Answer, (h2::Error, bool)> {
    let before = |error| (error, true);
    let (head, body) = (shared.target.head.clone(), shared.target.body.clone());
    let (response, mut stream) = send.send_request(head, body.is_empty()).map_err(before)?;
    if !body.is_empty() {
        stream.send_data(body, true).map_err(before)?;
    }
    let response = response.await.map_err(before)?;
    let status = response.status().as_u16();
    let (mut body, mut bytes, mut example) = (response.into_body(), 0, Vec::new());
    while let Some(part) = body.data().await {
        let part = part.map_err(|error| (error, false))?;
        let _ = body.flow_control().release_capacity(part.len());
        bytes += part.len() as u64;
        if status >= 400 {
            example.extend(part.iter().take(EXAMPLE - example.len()));
        }
    }
    Ok(Answer { status, bytes, example })
}

fn broken(error: &h2::Error) -> Broken {
    let kind = match error.get_io() {
        Some(io) => match Failure::of(io) {
            Failure::Connect | Failure::Tls => Failure::Closed,
            other => other,
        },
        None if error.is_go_away() && error.is_remote() => Failure::Closed,
        None if error.is_reset() && error.is_remote() => Failure::Reset,
        None => Failure::Protocol,
    };
    Broken::new(kind, error.to_string())
}
