//! The shim's loop: questions of engines, ends of processes, output of containers.

mod answers;
mod ends;

use super::container::{Container, Pod};
use super::exec::{Kind, Pending, Progress};
use super::poll::{Interest, Poller};
use super::streams::Buffers;
use crate::protocol::{Answer, Asked, Framer, Said};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Instant;
use sys::task::{self, Ended, OnlyThread};

/// Everything that the shim holds.
pub struct Server {
    alone: OnlyThread,
    poller: Poller,
    listener: (UnixListener, u64),
    signals: (OwnedFd, u64),
    connections: BTreeMap<u64, Connection>,
    pod: Option<Pod>,
    containers: BTreeMap<String, Container>,
    pending: Vec<Pending>,
    // Further processes by id: who asked, and with which question.
    execs: BTreeMap<u32, (u64, u64)>,
    // Ends of processes whose ids have not been told yet.
    early: Vec<Ended>,
    buffers: Buffers,
    // How often the state has been written.
    states: u64,
    over: bool,
}

struct Connection {
    socket: UnixStream,
    framer: Framer,
    waiting: bool,
}

impl Server {
    /// Takes the listening socket from standard input.
    ///
    /// # Errors
    /// When it is none, or the system refuses what every shim needs.
    pub fn new(alone: OnlyThread) -> io::Result<Self> {
        let mut poller = Poller::new()?;
        let listener = UnixListener::from(sys::fds::duplicate(rustix_stdin())?);
        listener.set_nonblocking(true)?;
        let signals = task::signal_fd(&[17])?;
        let listening = poller.add(&listener, Interest::Read)?;
        let signalled = poller.add(&signals, Interest::Read)?;
        Ok(Self {
            alone,
            poller,
            listener: (listener, listening),
            signals: (signals, signalled),
            connections: BTreeMap::new(),
            pod: None,
            containers: BTreeMap::new(),
            pending: Vec::new(),
            execs: BTreeMap::new(),
            early: Vec::new(),
            buffers: Buffers::default(),
            states: 0,
            over: false,
        })
    }

    /// Works until the pod is removed, or until the engine goes before it has made one.
    ///
    /// # Errors
    /// When waiting fails, which it does not.
    pub fn run(&mut self) -> io::Result<()> {
        while !self.over {
            let deadline = self.containers.values().filter_map(|container| container.streams.deadline()).min();
            let ready = self.poller.wait(deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())))?;
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                self.containers.values_mut().for_each(|container| container.streams.expire(&mut self.poller));
            }
            for token in ready {
                self.ready(token);
            }
        }
        Ok(())
    }

    fn ready(&mut self, token: u64) {
        if token == self.listener.1 {
            self.accept();
        } else if token == self.signals.1 {
            self.reap();
        } else if self.connections.contains_key(&token) {
            self.converse(token);
        } else if let Some(index) = self.pending.iter().position(|pending| pending.token == token) {
            self.listen(index);
        } else if let Some(container) = self.containers.values_mut().find(|container| container.streams.has(token)) {
            container.streams.ready(&mut self.poller, token, &mut self.buffers);
        }
    }

    fn accept(&mut self) {
        let Ok((socket, _)) = self.listener.0.accept() else { return };
        let own = rustix::process::getuid().as_raw();
        let trusted = sys::socket::peer_uid(&socket).is_ok_and(|uid| uid == 0 || uid == own);
        if !trusted || socket.set_nonblocking(true).is_err() {
            return;
        }
        if let Ok(token) = self.poller.add(&socket, Interest::Read) {
            self.connections.insert(token, Connection { socket, framer: Framer::default(), waiting: false });
        }
    }

    fn converse(&mut self, token: u64) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        let alive = connection.framer.fill(&connection.socket);
        loop {
            let Some(connection) = self.connections.get_mut(&token) else { return };
            match connection.framer.next::<Asked>() {
                Ok(Some((asked, fds))) => self.answer(token, asked, fds),
                Ok(None) => break,
                Err(_) => return self.hang_up(token),
            }
        }
        if matches!(alive, Ok(true)) { self.flush(token) } else { self.hang_up(token) }
    }

    fn hang_up(&mut self, token: u64) {
        if let Some(connection) = self.connections.remove(&token) {
            self.poller.remove(&connection.socket);
        }
        // An engine that died before it had said what pod this is: nobody will ever ask again.
        self.over |= self.pod.is_none() && self.connections.is_empty();
    }

    fn flush(&mut self, token: u64) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        if connection.framer.flush(&connection.socket).is_err() {
            return self.hang_up(token);
        }
        let waiting = connection.framer.has_outbound();
        if waiting != connection.waiting {
            connection.waiting = waiting;
            let interest = if waiting { Interest::Both } else { Interest::Read };
            let _ = self.poller.change(&connection.socket, token, interest);
        }
    }

    fn say(&mut self, token: u64, said: &Said, fds: Vec<OwnedFd>) {
        let Some(connection) = self.connections.get_mut(&token) else { return };
        if connection.framer.queue(said, fds).is_err() {
            return self.hang_up(token);
        }
        self.flush(token);
    }

    fn reply(&mut self, token: u64, id: u64, answer: Answer, fds: Vec<OwnedFd>) {
        self.say(token, &Said::Answer { id, answer }, fds);
    }

    fn say_to_all(&mut self, said: &Said) {
        let tokens: Vec<u64> = self.connections.keys().copied().collect();
        for token in tokens {
            self.say(token, said, Vec::new());
        }
    }

    fn listen(&mut self, index: usize) {
        let over = self.pending.get_mut(index).is_some_and(|pending| pending.listen() == Progress::Over);
        if over {
            let pending = self.pending.remove(index);
            self.poller.remove(&pending.begun.words);
            match pending.kind {
                Kind::Container { .. } => self.container_started(pending),
                Kind::Exec { .. } => self.exec_started(pending),
            }
        }
    }

    fn reap(&mut self) {
        let mut detail = [0; 1024];
        while rustix::io::read(&self.signals.0, &mut detail).is_ok_and(|count| count > 0) {}
        // What is being started is heard first, so that a program that ends at once is known when its end is taken.
        for index in (0..self.pending.len()).rev() {
            self.listen(index);
        }
        while let Ok(Some(ended)) = task::reap() {
            if let Some(index) = self.pending.iter().position(|pending| pending.begun.pid == ended.pid && pending.pid.is_none()) {
                self.listen(index);
            }
            self.ended(ended);
        }
    }
}

fn rustix_stdin() -> std::io::Stdin {
    io::stdin()
}
