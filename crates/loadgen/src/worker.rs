//! One connection's work: take a turn, wait until it is due, ask, count.

use crate::config::Target;
use crate::connection::{Broken, Connection};
use crate::pace::{Own, Pacer, Turn};
use crate::response::Response;
use crate::tally::{Failure, Tally};
use crate::timer::Timer;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A connection that has been idle for so long is looked at before it is used.
const IDLE: Duration = Duration::from_millis(2);

/// What all connections of a run share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub target: Target,
    pub address: SocketAddr,
    pub pacer: Pacer,
    pub timeout: Duration,
    pub keep_alive: bool,
    pub start: Instant,
    pub stop: AtomicBool,
}

/// What others may see of a thread while it works.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub done: AtomicU64,
    pub failed: AtomicU64,
}

/// The part of a thread that its connections share.
#[derive(Debug)]
pub(crate) struct Desk {
    pub tally: RefCell<Tally>,
}

/// Works until the turns are over.
pub(crate) async fn work(shared: &Shared, desk: &Desk, seen: &Seen) {
    let mut worker = Worker { shared, desk, connection: None, idle_since: shared.start };
    let mut own = Own::default();
    let mut timer = Timer::new().ok();
    loop {
        let free = shared.start.elapsed();
        let Some(turn) = shared.pacer.take(free, &mut own) else { break };
        wait(shared, &mut timer, turn).await;
        if shared.stop.load(Ordering::Relaxed) {
            break;
        }
        worker.serve(turn, free).await;
        let tally = desk.tally.borrow();
        seen.done.store(tally.ok + tally.failed, Ordering::Relaxed);
        seen.failed.store(tally.failed, Ordering::Relaxed);
    }
}

async fn wait(shared: &Shared, timer: &mut Option<Timer>, turn: Turn) {
    // In pieces, so that a run that is given up ends soon.
    const PIECE: Duration = Duration::from_millis(200);
    let Some(due) = turn.due.map(|due| shared.start + due) else { return };
    while !shared.stop.load(Ordering::Relaxed) {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        let until = Instant::now() + left.min(PIECE);
        match timer {
            Some(timer) => {
                let _ = timer.until(until).await;
            }
            None => tokio::time::sleep_until(until.into()).await,
        }
    }
}

struct Worker<'a> {
    shared: &'a Shared,
    desk: &'a Desk,
    connection: Option<Connection>,
    idle_since: Instant,
}

impl Worker<'_> {
    async fn serve(&mut self, turn: Turn, free: Duration) {
        let sent = Instant::now();
        let due = turn.due.filter(|_| turn.counts);
        let deadline = sent + self.shared.timeout;
        let late = due.map_or(Duration::ZERO, |due| sent.duration_since(self.shared.start).saturating_sub(due));
        if let Some(due) = due {
            let mut tally = self.desk.tally.borrow_mut();
            tally.waited += u64::from(free > due);
            tally.late(sent.duration_since(self.shared.start).saturating_sub(due.max(free)));
        }
        let outcome = if late >= self.shared.timeout {
            Err(Broken {
                kind: Failure::NotSent,
                detail: "all connections were in use until its time was over: raise `-c`".to_owned(),
                untouched: false,
            })
        } else {
            match tokio::time::timeout_at(deadline.into(), self.ask()).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    self.connection = None;
                    Err(Broken { kind: Failure::TimeOut, detail: format!("no answer within {:?}", self.shared.timeout), untouched: false })
                }
            }
        };
        self.idle_since = Instant::now();
        self.count(outcome, self.idle_since - sent, due.map(|due| self.idle_since.duration_since(self.shared.start).saturating_sub(due)));
    }

    fn count(&self, outcome: Result<(Response, u64), Broken>, time: Duration, since_due: Option<Duration>) {
        let mut tally = self.desk.tally.borrow_mut();
        if let Some(since_due) = since_due {
            tally.since_due(since_due);
        }
        match outcome {
            Ok((response, bytes)) => {
                tally.bytes += bytes;
                tally.status(response.status);
                if (200..400).contains(&response.status) {
                    tally.served(time);
                } else {
                    tally.fail(Failure::Status, || format!("{}: {}", response.status, printable(&response.example)));
                }
            }
            Err(broken) => tally.fail(broken.kind, || broken.detail),
        }
    }

    async fn ask(&mut self) -> Result<(Response, u64), Broken> {
        let (request, bodiless) = (&self.shared.target.request, self.shared.target.bodiless);
        let idle = self.idle_since.elapsed() > IDLE;
        let kept = self.connection.take().filter(|kept| !(idle && kept.is_closed()));
        let reused = kept.is_some();
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.open().await?,
        };
        let mut outcome = connection.exchange(request, bodiless).await;
        if reused && self.shared.target.idempotent && matches!(&outcome, Err(broken) if broken.untouched) {
            self.desk.tally.borrow_mut().retried += 1;
            connection = self.open().await?;
            outcome = connection.exchange(request, bodiless).await;
        }
        if self.shared.keep_alive && matches!(&outcome, Ok((response, _)) if response.reusable) {
            self.connection = Some(connection);
        }
        outcome
    }

    async fn open(&self) -> Result<Connection, Broken> {
        self.desk.tally.borrow_mut().connections += 1;
        Connection::open(self.shared.address).await
    }
}

/// The beginning of a body as it can be shown: foreign bytes never reach a terminal.
fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect::<String>()
        .trim()
        .to_owned()
}
