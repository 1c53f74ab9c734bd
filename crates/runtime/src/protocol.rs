//! What engine and shim say to each other: JSON in frames, open files beside them, over the socket in the pod's folder.

use crate::spec::{ContainerSpec, ExecSpec, Exit, PodSpec, PodState, RuntimeError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Name of the socket in the pod's folder.
pub const SOCKET: &str = "shim.sock";
/// Name of the files with the pod's last known [`PodState`]; the one with the highest number after a dot counts.
pub const STATE: &str = "state.json";
/// The most that one frame may hold; a container's environment is the largest part.
const MAX_FRAME: usize = 16 << 20;
/// What may wait to be sent to one side that does not read.
const MAX_WAITING: usize = 32 << 20;

/// Something asked of the shim, with a number that its answer carries.
#[derive(Debug, Serialize, Deserialize)]
pub struct Asked {
    /// Counted by who asks.
    pub id: u64,
    /// What.
    pub request: Request,
}

/// What can be asked.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Become this pod. First of all, and once.
    Create {
        /// The pod.
        spec: Box<PodSpec>,
        /// Root of our cgroups.
        cgroup_root: String,
        /// Bits of [`crate::weak::Weakness`]; zero but in tests.
        weak: u32,
    },
    /// Start a container. With a descriptor: its system call filter.
    Start(Box<ContainerSpec>),
    /// Send a signal.
    Signal {
        /// Container.
        container: String,
        /// Number.
        signal: i32,
        /// To all its processes.
        everyone: bool,
    },
    /// Start a further process.
    Exec {
        /// Container.
        container: String,
        /// What.
        spec: ExecSpec,
    },
    /// Join a container's streams.
    Attach {
        /// Container.
        container: String,
        /// Whether its input is to end with who attaches.
        once: bool,
    },
    /// How is the pod?
    State,
    /// End everything, then yourself.
    Shutdown,
}

/// What the shim says.
#[derive(Debug, Serialize, Deserialize)]
pub enum Said {
    /// The answer to a question.
    Answer {
        /// Its number.
        id: u64,
        /// The answer.
        answer: Answer,
    },
    /// A container's first process ended.
    Exited {
        /// Container.
        container: String,
        /// Attempt.
        attempt: u32,
        /// How.
        exit: Exit,
    },
    /// A process started by [`Request::Exec`] ended.
    ExecEnded {
        /// The number of the question that started it, on the same connection.
        id: u64,
        /// Exit code.
        code: i32,
    },
}

/// Answers.
#[derive(Debug, Serialize, Deserialize)]
pub enum Answer {
    /// It is done.
    Done,
    /// The shim's or the process's id.
    Pid(u32),
    /// The state.
    State(PodState),
    /// Streams; the descriptors come in this order: input, output, errors, the terminal to resize.
    Streams(StreamsSent),
    /// It could not be done.
    Failed(RuntimeError),
}

/// Which descriptors came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamsSent {
    /// Standard input.
    pub stdin: bool,
    /// Standard error.
    pub stderr: bool,
    /// A terminal, which is then also the input where `stdin` is set.
    pub terminal: bool,
    /// The attempt, for a container's streams.
    pub attempt: u32,
}

/// One side's end of the connection; the socket itself does not wait.
#[derive(Debug, Default)]
pub struct Framer {
    inbound: Vec<u8>,
    inbound_fds: VecDeque<OwnedFd>,
    outbound: VecDeque<(Vec<u8>, usize, Vec<OwnedFd>)>,
    waiting: usize,
}

impl Framer {
    /// Puts a message and its descriptors in line to be sent.
    ///
    /// # Errors
    /// When it is too large, or the other side has not read for too long.
    pub fn queue(&mut self, message: &impl Serialize, fds: Vec<OwnedFd>) -> io::Result<()> {
        let body = serde_json::to_vec(message)?;
        let length = u32::try_from(body.len())
            .ok()
            .filter(|&length| length as usize <= MAX_FRAME)
            .ok_or_else(|| io::Error::other("message too large"))?;
        if self.waiting > MAX_WAITING || fds.len() > sys::socket::MAX_FDS {
            return Err(io::Error::other("the other side does not read"));
        }
        let mut frame = Vec::with_capacity(body.len() + 5);
        frame.extend_from_slice(&length.to_le_bytes());
        frame.push(u8::try_from(fds.len()).unwrap_or(u8::MAX));
        frame.extend_from_slice(&body);
        self.waiting += frame.len();
        self.outbound.push_back((frame, 0, fds));
        Ok(())
    }

    /// Whether something waits to be sent.
    pub fn has_outbound(&self) -> bool {
        !self.outbound.is_empty()
    }

    /// Sends as much as goes at once.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn flush(&mut self, socket: impl AsFd) -> io::Result<()> {
        while let Some((frame, sent, fds)) = self.outbound.front_mut() {
            let borrowed: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
            let count = match sys::socket::send(socket.as_fd(), frame.get(*sent..).unwrap_or_default(), &borrowed) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            fds.clear();
            *sent += count;
            self.waiting = self.waiting.saturating_sub(count);
            if *sent >= frame.len() {
                self.outbound.pop_front();
            }
        }
        Ok(())
    }

    /// Receives what is there; `false` at the end of the connection.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn fill(&mut self, socket: impl AsFd) -> io::Result<bool> {
        let mut buffer = [0; 16 << 10];
        let mut fds = Vec::new();
        loop {
            match sys::socket::receive(socket.as_fd(), &mut buffer, &mut fds) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    self.inbound.extend_from_slice(buffer.get(..count).unwrap_or_default());
                    self.inbound_fds.extend(fds.drain(..));
                    if self.inbound.len() > 2 * MAX_FRAME {
                        return Err(io::Error::other("more is sent than one message may hold"));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
        }
    }

    /// The next whole message with its descriptors.
    ///
    /// # Errors
    /// When it is too large, or no message.
    pub fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
        let Some(&[a, b, c, d, count]) = self.inbound.first_chunk::<5>() else { return Ok(None) };
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length > MAX_FRAME {
            return Err(io::Error::other("message too large"));
        }
        let Some(body) = self.inbound.get(5..5 + length) else { return Ok(None) };
        let message = serde_json::from_slice(body)?;
        if self.inbound_fds.len() < usize::from(count) {
            return Err(io::Error::other("descriptors are missing"));
        }
        let fds = self.inbound_fds.drain(..usize::from(count)).collect();
        self.inbound.drain(..5 + length);
        if self.inbound.is_empty() {
            // A large environment need not be held on to by an idle shim.
            self.inbound.shrink_to(16 << 10);
        }
        Ok(Some((message, fds)))
    }
}

/// Shortens the way from a failed system call to a sentence.
pub(crate) fn host(doing: impl Into<String>) -> impl FnOnce(io::Error) -> RuntimeError {
    let doing = doing.into();
    move |error| RuntimeError::Host { doing, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn frames_arrive_whole_with_their_files() {
        let (left, right) = UnixStream::pair().expect("pair");
        left.set_nonblocking(true).expect("set");
        right.set_nonblocking(true).expect("set");
        let (mut sender, mut receiver) = (Framer::default(), Framer::default());
        let long = "x".repeat(1 << 20);
        let file = || OwnedFd::from(std::fs::File::open("/proc/self/stat").expect("open"));
        for index in 0..3_u64 {
            sender.queue(&(index, &long), (0..index).map(|_| file()).collect()).expect("queued");
        }
        let mut seen = Vec::new();
        while seen.len() < 3 {
            sender.flush(&left).expect("sent");
            assert!(receiver.fill(&right).expect("received"));
            while let Some(((index, text), fds)) = receiver.next::<(u64, String)>().expect("whole") {
                assert!(text == long);
                seen.push((index, fds.len()));
            }
        }
        assert_eq!(seen, [(0, 0), (1, 1), (2, 2)]);
        drop(left);
        assert!(!receiver.fill(&right).expect("end"));
    }

    #[test]
    fn refuses_lies_about_length_and_files() {
        for bytes in [[255, 255, 255, 255, 0].as_slice(), b"\x02\0\0\0\x01{}"] {
            let mut framer = Framer { inbound: bytes.to_vec(), ..Framer::default() };
            framer.next::<serde_json::Value>().expect_err("refused");
        }
    }
}
