//! A container's standard streams: read, stamped into the log, copied to whoever is attached.

use super::log::{Log, Source};
use super::poll::{Interest, Poller};
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How long a reader that is attached may hold up a container that has a log.
const PATIENCE: Duration = Duration::from_secs(10);

/// An output of the container.
#[derive(Debug)]
pub struct Output {
    /// Of which kind.
    pub source: Source,
    fd: OwnedFd,
    token: Option<u64>,
}

/// Somebody attached.
#[derive(Debug)]
struct Sink {
    source: Source,
    fd: OwnedFd,
    token: u64,
    waiting: Vec<u8>,
    since: Instant,
}

/// All streams of one container.
#[derive(Debug, Default)]
pub struct Streams {
    /// Writing end of standard input.
    pub stdin: Option<OwnedFd>,
    /// The watcher's side of the terminal.
    pub terminal: Option<OwnedFd>,
    outputs: Vec<Output>,
    log: Option<Log>,
    sinks: Vec<Sink>,
    paused: bool,
}

/// Buffers that all containers share.
#[derive(Debug, Default)]
pub struct Buffers {
    chunk: Vec<u8>,
    gathered: Vec<u8>,
}

impl Streams {
    /// Streams that go to a log, or wait for somebody to attach.
    pub fn new(stdin: Option<OwnedFd>, log: Option<Log>) -> Self {
        Self { stdin, log, ..Self::default() }
    }

    /// Adds an output, and begins to read it if there is a log.
    pub fn add(&mut self, poller: &mut Poller, source: Source, fd: OwnedFd) -> io::Result<()> {
        let token = if self.log.is_some() {
            sys::fds::set_nonblocking(&fd, true)?;
            Some(poller.add(&fd, Interest::Read)?)
        } else {
            None
        };
        self.outputs.push(Output { source, fd, token });
        Ok(())
    }

    /// Whether a number is one of ours.
    pub fn has(&self, token: u64) -> bool {
        self.outputs.iter().any(|output| output.token == Some(token)) || self.sinks.iter().any(|sink| sink.token == token)
    }

    /// Reads or writes what can be for a number that is ready.
    pub fn ready(&mut self, poller: &mut Poller, token: u64, buffers: &mut Buffers) {
        if let Some(index) = self.outputs.iter().position(|output| output.token == Some(token)) {
            self.read(poller, index, buffers);
        } else if let Some(index) = self.sinks.iter().position(|sink| sink.token == token) {
            // With nothing to write, the only thing that can happen is that the reader has gone.
            match self.sinks.get(index).is_some_and(|sink| sink.waiting.is_empty()) {
                true => self.let_go(poller, index),
                false => self.flush(poller, index),
            }
        }
    }

    /// Without a log: the outputs themselves, for who attaches first. Whatever was written so far is still in them.
    pub fn take(&mut self) -> Option<Vec<(Source, OwnedFd)>> {
        if self.log.is_some() || self.outputs.is_empty() {
            return None;
        }
        Some(self.outputs.drain(..).map(|output| (output.source, output.fd)).collect())
    }

    /// Whether there is a log.
    pub fn is_logged(&self) -> bool {
        self.log.is_some()
    }

    /// Copies an output to a pipe from now on.
    pub fn attach(&mut self, poller: &mut Poller, source: Source, fd: OwnedFd) -> io::Result<()> {
        sys::fds::set_nonblocking(&fd, true)?;
        let token = poller.add(&fd, Interest::Read)?;
        self.sinks.push(Sink { source, fd, token, waiting: Vec::new(), since: Instant::now() });
        Ok(())
    }

    /// When the next reader that is too slow is due to be let go.
    pub fn deadline(&self) -> Option<Instant> {
        self.sinks.iter().filter(|sink| !sink.waiting.is_empty()).map(|sink| sink.since + PATIENCE).min()
    }

    /// Lets readers go that have been too slow.
    pub fn expire(&mut self, poller: &mut Poller) {
        let now = Instant::now();
        while let Some(index) = self.sinks.iter().position(|sink| !sink.waiting.is_empty() && now >= sink.since + PATIENCE) {
            self.let_go(poller, index);
        }
        self.resume(poller);
    }

    /// The program has ended: takes what is left in the pipes, and closes everything that is read here.
    pub fn drain(&mut self, poller: &mut Poller, buffers: &mut Buffers) {
        self.stdin = None;
        if self.log.is_none() {
            return;
        }
        while !self.outputs.is_empty() {
            let before = self.outputs.len();
            // Every writer is dead, so the end comes; but for one that was handed to a process elsewhere. Then what is there is taken.
            while self.outputs.len() == before && self.read(poller, 0, buffers) {}
            if self.outputs.len() == before {
                self.end(poller, 0, buffers);
            }
        }
        for index in (0..self.sinks.len()).rev() {
            // A last try without waiting; what a slow reader has not taken by now is in the log.
            self.flush(poller, index);
        }
        while !self.sinks.is_empty() {
            self.let_go(poller, 0);
        }
        (self.log, self.terminal) = (None, None);
    }

    // True when something was read.
    fn read(&mut self, poller: &mut Poller, index: usize, buffers: &mut Buffers) -> bool {
        let Some(output) = self.outputs.get(index) else { return false };
        buffers.chunk.resize(64 << 10, 0);
        let source = output.source;
        match rustix::io::read(&output.fd, buffers.chunk.as_mut_slice()) {
            Ok(count) if count > 0 => {
                let chunk = buffers.chunk.get(..count).unwrap_or_default();
                if let Some(log) = &mut self.log {
                    log.write(source, chunk, &mut buffers.gathered);
                }
                for sink in self.sinks.iter_mut().filter(|sink| sink.source == source) {
                    if sink.waiting.is_empty() {
                        sink.since = Instant::now();
                    }
                    sink.waiting.extend_from_slice(chunk);
                }
                for index in (0..self.sinks.len()).rev() {
                    self.flush(poller, index);
                }
                self.pause(poller);
                true
            }
            Err(rustix::io::Errno::AGAIN) => false,
            Err(rustix::io::Errno::INTR) => true,
            // The end; of a terminal it is an error.
            Ok(_) | Err(_) => {
                self.end(poller, index, buffers);
                false
            }
        }
    }

    fn end(&mut self, poller: &mut Poller, index: usize, buffers: &mut Buffers) {
        let output = self.outputs.remove(index);
        poller.remove(&output.fd);
        if let Some(log) = &mut self.log {
            log.finish(output.source, &mut buffers.gathered);
        }
    }

    fn flush(&mut self, poller: &mut Poller, index: usize) {
        let Some(sink) = self.sinks.get_mut(index) else { return };
        while !sink.waiting.is_empty() {
            match rustix::io::write(&sink.fd, &sink.waiting) {
                Ok(count) => {
                    sink.waiting.drain(..count);
                    sink.since = Instant::now();
                }
                Err(rustix::io::Errno::AGAIN) => {
                    let _ = poller.change(&sink.fd, sink.token, Interest::Write);
                    return;
                }
                Err(_) => return self.let_go(poller, index),
            }
        }
        // Nothing to write: only the reader's end is of interest, which comes unasked.
        let _ = poller.change(&sink.fd, sink.token, Interest::Read);
        self.resume(poller);
    }

    fn let_go(&mut self, poller: &mut Poller, index: usize) {
        let sink = self.sinks.remove(index);
        poller.remove(&sink.fd);
        self.resume(poller);
    }

    // While somebody attached has not taken what was read, nothing more is read: the program waits, as at a terminal.
    fn pause(&mut self, poller: &Poller) {
        if !self.paused && self.sinks.iter().any(|sink| !sink.waiting.is_empty()) {
            self.paused = true;
            self.outputs.iter().for_each(|output| poller.remove(&output.fd));
        }
    }

    fn resume(&mut self, poller: &mut Poller) {
        if self.paused && self.sinks.iter().all(|sink| sink.waiting.is_empty()) {
            self.paused = false;
            for output in &mut self.outputs {
                output.token = poller.add(&output.fd, Interest::Read).ok();
            }
        }
    }
}
