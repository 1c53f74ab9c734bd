//! Waiting for many descriptors: `epoll` with a number for each.

use rustix::event::{Timespec, epoll};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something to read, or the end.
    Read,
    /// Room to write.
    Write,
    /// Both.
    Both,
}

/// The set of descriptors; they must be taken out before they are closed.
#[derive(Debug)]
pub struct Poller {
    fd: OwnedFd,
    next: u64,
}

impl Poller {
    /// An empty set.
    pub fn new() -> io::Result<Self> {
        Ok(Self { fd: epoll::create(epoll::CreateFlags::CLOEXEC)?, next: 0 })
    }

    /// Puts a descriptor in; the number is never used twice.
    pub fn add(&mut self, fd: impl AsFd, interest: Interest) -> io::Result<u64> {
        self.next += 1;
        epoll::add(&self.fd, fd, epoll::EventData::new_u64(self.next), flags(interest))?;
        Ok(self.next)
    }

    /// Changes what is waited for.
    pub fn change(&self, fd: impl AsFd, token: u64, interest: Interest) -> io::Result<()> {
        Ok(epoll::modify(&self.fd, fd, epoll::EventData::new_u64(token), flags(interest))?)
    }

    /// Takes a descriptor out.
    pub fn remove(&self, fd: impl AsFd) {
        let _ = epoll::delete(&self.fd, fd);
    }

    /// Waits; the numbers of those that are ready, or none after `patience`.
    pub fn wait(&self, patience: Option<Duration>) -> io::Result<Vec<u64>> {
        let mut events = Vec::with_capacity(16);
        let patience = patience.map(|patience| Timespec {
            tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(patience.subsec_nanos()),
        });
        match epoll::wait(&self.fd, rustix::buffer::spare_capacity(&mut events), patience.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(events.iter().map(|event: &epoll::Event| event.data.u64()).collect()),
            Err(error) => Err(error.into()),
        }
    }
}

fn flags(interest: Interest) -> epoll::EventFlags {
    match interest {
        Interest::Read => epoll::EventFlags::IN,
        Interest::Write => epoll::EventFlags::OUT,
        Interest::Both => epoll::EventFlags::IN | epoll::EventFlags::OUT,
    }
}
