//! Waiting for sockets and for a moment, to the microsecond.

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime};
use std::io;
use std::time::Duration;

/// Events that are taken at once.
const BATCH: usize = 256;
/// Marks the timer.
const TIMER: u64 = u64::MAX;

/// Something has happened to a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    /// As it was added.
    pub key: u64,
    /// The other side sends no more.
    pub hung_up: bool,
}

/// A set of sockets, and a timer: the kernel's own time-outs tick in whole milliseconds.
pub(crate) struct Poll {
    epoll: OwnedFd,
    timer: OwnedFd,
    armed: Option<Duration>,
    events: Vec<Event>,
}

impl Poll {
    /// An empty one.
    ///
    /// # Errors
    /// When there are no descriptors left.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        // At edges: it is set anew each time, and need not be read.
        epoll::add(&epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN | EventFlags::ET)?;
        Ok(Self { epoll, timer, armed: None, events: Vec::with_capacity(BATCH) })
    }

    /// Adds a socket for all of its life: at edges, so that nothing need be changed between reading and writing.
    ///
    /// # Errors
    /// When the kernel has no room.
    pub fn add(&self, socket: impl AsFd, key: u64) -> io::Result<()> {
        let wanted = EventFlags::IN | EventFlags::OUT | EventFlags::RDHUP | EventFlags::ET;
        Ok(epoll::add(&self.epoll, socket, EventData::new_u64(key), wanted)?)
    }

    /// Waits for sockets until the moment `due`, or for `at_most`; `now` is the time on the clock of both. What is ready is put
    /// into `ready`.
    ///
    /// # Errors
    /// When waiting is impossible.
    pub fn wait(&mut self, ready: &mut Vec<Ready>, now: Duration, due: Option<Duration>, at_most: Duration) -> io::Result<()> {
        let left = due.map(|due| due.saturating_sub(now));
        let mut timeout = at_most;
        if let Some(left) = left.filter(|left| *left < at_most) {
            if left.is_zero() {
                timeout = Duration::ZERO;
            } else if self.armed != due {
                timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once(left))?;
                self.armed = due;
            }
        }
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&timespec(timeout))) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        ready.clear();
        let ended = EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR;
        for event in &self.events {
            let (flags, data) = (event.flags, event.data);
            match data.u64() {
                TIMER => self.armed = None,
                key => ready.push(Ready { key, hung_up: flags.intersects(ended) }),
            }
        }
        Ok(())
    }
}

fn once(after: Duration) -> Itimerspec {
    Itimerspec { it_interval: timespec(Duration::ZERO), it_value: timespec(after) }
}

fn timespec(time: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), tv_nsec: time.subsec_nanos().into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_moment_is_not_missed_and_not_early() {
        let (mut poll, mut ready, start) = (Poll::new().expect("made"), Vec::new(), Instant::now());
        for due in [300, 700, 5_000, 5_000].map(Duration::from_micros) {
            while start.elapsed() < due {
                poll.wait(&mut ready, start.elapsed(), Some(due), Duration::from_secs(10)).expect("waited");
            }
            assert!(ready.is_empty() && start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        }
        let before = start.elapsed();
        poll.wait(&mut ready, before, Some(Duration::from_secs(100)), Duration::from_millis(20)).expect("waited");
        assert!(start.elapsed() - before >= Duration::from_millis(19));
    }
}
