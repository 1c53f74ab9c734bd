//! A thread of HTTP/1.1: one loop over all of its connections, without waiting for any of them.

use crate::config::Pace;
use crate::exchange::{Exchange, Outcome, Tools};
use crate::failure::Broken;
use crate::pace::{Own, Turn};
use crate::poll::{Poll, Ready};
use crate::response::Known;
use crate::shared::{Seen, Shared};
use crate::tally::{Asked, Tally};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::time::Duration;

/// What is read at once.
const ROOM: usize = 64 * 1024;
/// A run that is given up ends within this.
const PIECE: Duration = Duration::from_millis(200);
/// So many may be given up in a row before sockets are looked at again.
const ROW: usize = 256;

/// See the module.
pub(crate) struct Thread<'a> {
    shared: &'a Shared,
    seen: &'a Seen,
    poll: Poll,
    all: Vec<Exchange>,
    own: Vec<Own>,
    tally: Tally,
    buffer: Vec<u8>,
    known: Known,
    /// Requests on their way.
    busy: usize,
    /// Connections with nothing to do, the one that has rested longest first; and since when there is one. Arrivals only.
    free: VecDeque<u32>,
    free_since: Duration,
    /// The next arrival.
    next: Option<Turn>,
    /// Connections that wait for their own time.
    waiting: BinaryHeap<Reverse<(Duration, u32)>>,
    /// No request can be too late before this.
    look: Duration,
}

impl<'a> Thread<'a> {
    /// With so many connections.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn new(shared: &'a Shared, seen: &'a Seen, connections: usize) -> io::Result<Self> {
        Ok(Self {
            shared,
            seen,
            poll: Poll::new()?,
            all: std::iter::repeat_with(Exchange::default).take(connections).collect(),
            own: vec![Own::default(); connections],
            tally: shared.tally(),
            buffer: vec![0; ROOM],
            known: Known::new(shared.target.bodiless),
            busy: 0,
            free: VecDeque::new(),
            free_since: Duration::ZERO,
            next: None,
            waiting: BinaryHeap::new(),
            look: Duration::ZERO,
        })
    }

    /// Works until the turns are over.
    pub fn run(mut self) -> Tally {
        let now = self.shared.now();
        for index in 0..u32::try_from(self.all.len()).unwrap_or(u32::MAX) {
            self.rest(index, now);
        }
        self.free_since = Duration::ZERO;
        let mut ready: Vec<Ready> = Vec::new();
        while (self.busy > 0 || self.next.is_some() || !self.waiting.is_empty()) && !self.shared.is_stopped() {
            self.send_due();
            let now = self.shared.now();
            let pause = if self.busy > 0 { PIECE.min(self.look.saturating_sub(now)) } else { PIECE };
            if self.poll.wait(&mut ready, now, self.due(), pause).is_err() {
                break;
            }
            for Ready { key, hung_up } in ready.iter().copied() {
                self.happened(key, hung_up);
            }
            self.give_up_late();
        }
        self.tally
    }

    /// When something is to be sent that can be.
    fn due(&self) -> Option<Duration> {
        let arrival = self.next.filter(|_| !self.free.is_empty()).and_then(|turn| turn.due);
        let own = self.waiting.peek().map(|Reverse((due, _))| *due);
        arrival.into_iter().chain(own).min()
    }

    fn send_due(&mut self) {
        for _ in 0..ROW {
            let Some(due) = self.due() else { return };
            let now = self.shared.now();
            if due > now {
                return;
            }
            if let Some(Reverse((due, index))) = self.waiting.pop() {
                self.work(index, Turn { due: Some(due), counts: false }, now);
            } else if let (Some(turn), Some(index)) = (self.next.take(), self.free.pop_front()) {
                let asked = Asked { turn, free: self.free_since, sent: now };
                if !self.free.is_empty() {
                    self.next = self.shared.pacer.take(now, &mut Own::default());
                }
                self.begin(index, asked);
            }
        }
    }

    fn happened(&mut self, key: u64, hung_up: bool) {
        let (index, generation) = ((key & u64::from(u32::MAX)) as u32, (key >> 32) as u32);
        let Some(exchange) = self.all.get_mut(index as usize).filter(|exchange| exchange.is(generation)) else { return };
        let asked = exchange.asked;
        let mut tools =
            Tools { shared: self.shared, poll: &self.poll, tally: &mut self.tally, buffer: &mut self.buffer, known: &mut self.known };
        let outcome = exchange.ready(index, hung_up, &mut tools);
        if let (Some(asked), Some(outcome)) = (asked, outcome) {
            let now = self.shared.now();
            self.ended(&asked, now, outcome);
            self.rest(index, now);
        }
    }

    /// Sends a request on a connection; where it fails at once, the connection goes on to its next.
    fn begin(&mut self, index: u32, asked: Asked) {
        if let Some(now) = self.send(index, asked) {
            self.rest(index, now);
        }
    }

    /// When it has ended at once.
    fn send(&mut self, index: u32, asked: Asked) -> Option<Duration> {
        self.busy += 1;
        let outcome = if self.tally.takes(&asked, self.shared.timeout) {
            let mut tools =
                Tools { shared: self.shared, poll: &self.poll, tally: &mut self.tally, buffer: &mut self.buffer, known: &mut self.known };
            self.all.get_mut(index as usize)?.begin(index, asked, &mut tools)?
        } else {
            Err(Broken::not_sent())
        };
        let now = self.shared.now();
        self.ended(&asked, now, outcome);
        Some(now)
    }

    fn ended(&mut self, asked: &Asked, now: Duration, outcome: Outcome) {
        self.busy -= 1;
        self.tally.ended(asked, now, outcome);
        self.seen.show(&self.tally);
    }

    /// A connection has nothing to do: it takes its next turn, or waits for one.
    fn rest(&mut self, index: u32, now: Duration) {
        match self.shared.pacer.pace() {
            Pace::Arrivals(_) => {
                if self.free.is_empty() {
                    self.free_since = now;
                }
                self.free.push_back(index);
                if self.next.is_none() {
                    self.next = self.shared.pacer.take(now, &mut Own::default());
                }
            }
            Pace::Free => {
                let mut now = now;
                while let Some(turn) = self.shared.pacer.take(now, &mut Own::default()).filter(|_| !self.shared.is_stopped()) {
                    match self.send(index, Asked { turn, free: now, sent: now }) {
                        Some(later) => now = later,
                        None => return,
                    }
                }
            }
            Pace::PerConnection(_) => {
                let turn = self.own.get_mut(index as usize).and_then(|own| self.shared.pacer.take(now, own));
                if let Some(due) = turn.and_then(|turn| turn.due) {
                    self.waiting.push(Reverse((due, index)));
                }
            }
        }
    }

    fn work(&mut self, index: u32, turn: Turn, now: Duration) {
        self.begin(index, Asked { turn, free: now, sent: now });
    }

    /// Requests that took too long fail. Those that are sent later are due later, so that one look a time-out is enough.
    fn give_up_late(&mut self) {
        let now = self.shared.now();
        if now < self.look {
            return;
        }
        self.look = now + self.shared.timeout;
        for index in 0..self.all.len() {
            let Some(asked) = self.all.get(index).and_then(|exchange| exchange.asked) else { continue };
            let end = asked.sent + self.shared.timeout;
            if end > now {
                self.look = self.look.min(end);
                continue;
            }
            let late = Broken::too_late(self.shared.timeout);
            if let Some(outcome) = self.all.get_mut(index).and_then(|exchange| exchange.end(Err(late))) {
                self.ended(&asked, now, outcome);
                self.rest(u32::try_from(index).unwrap_or(u32::MAX), now);
            }
        }
    }
}
