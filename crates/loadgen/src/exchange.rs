//! One connection of HTTP/1.1 and the request on it, if there is one.

use crate::failure::{Answer, Broken, Failure};
use crate::poll::Poll;
use crate::response::{Known, Response};
use crate::shared::Shared;
use crate::stream::Stream;
use crate::tally::{Asked, Tally};
use std::io::{self, ErrorKind};

/// How a request ended.
pub(crate) type Outcome = Result<Answer, Broken>;

/// What all exchanges of a thread use.
pub(crate) struct Tools<'a> {
    pub shared: &'a Shared,
    pub poll: &'a Poll,
    pub tally: &'a mut Tally,
    /// Where everything is read to.
    pub buffer: &'a mut [u8],
    pub known: &'a mut Known,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    stream: Option<Stream>,
    /// Distinguishes the connections that were here.
    generation: u32,
    /// The request on its way.
    pub asked: Option<Asked>,
    written: usize,
    /// Bytes of the answer that were read.
    read: u64,
    /// The connection has served a request.
    reused: bool,
    /// The request is sent a second time.
    again: bool,
    /// Sending failed; the answer may have come all the same.
    lost: Option<io::Error>,
    response: Response,
    /// The beginning of a head or a line that is not whole yet.
    carried: Vec<u8>,
}

impl Exchange {
    /// Whether an event is about the connection that is here now.
    pub fn is(&self, generation: u32) -> bool {
        self.stream.is_some() && self.generation == generation
    }

    /// Sends a request. An outcome when it has ended at once.
    pub fn begin(&mut self, index: u32, asked: Asked, tools: &mut Tools<'_>) -> Option<Outcome> {
        (self.asked, self.again) = (Some(asked), false);
        self.send(index, tools)
    }

    fn send(&mut self, index: u32, tools: &mut Tools<'_>) -> Option<Outcome> {
        (self.written, self.read, self.lost) = (0, 0, None);
        self.response = Response::default();
        self.carried.clear();
        if self.stream.is_none()
            && let Err(error) = self.open(index, tools)
        {
            let detail = format!("connect to {}: {error}", tools.shared.address);
            return self.end(Err(Broken::new(Failure::of(&error), detail)));
        }
        // No answer can be there yet.
        self.write(tools);
        match self.lost {
            None => None,
            Some(_) => self.receive(index, true, tools),
        }
    }

    fn open(&mut self, index: u32, tools: &mut Tools<'_>) -> io::Result<()> {
        tools.tally.connections += 1;
        self.reused = false;
        self.generation = self.generation.wrapping_add(1);
        let stream = Stream::open(tools.shared.address, tools.shared.secure.as_ref())?;
        tools.poll.add(&stream, u64::from(self.generation) << 32 | u64::from(index))?;
        self.stream = Some(stream);
        Ok(())
    }

    /// Something has happened to the connection.
    pub fn ready(&mut self, index: u32, hung_up: bool, tools: &mut Tools<'_>) -> Option<Outcome> {
        if self.asked.is_none() {
            self.look(tools);
            return None;
        }
        self.write(tools);
        self.receive(index, hung_up, tools)
    }

    /// An idle connection that ends is no failure; one that talks is not used again.
    fn look(&mut self, tools: &mut Tools<'_>) {
        match self.stream.as_mut().map(|stream| stream.read(tools.buffer)) {
            Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => {}
            came => {
                tools.tally.surplus += u64::from(matches!(came, Some(Ok(1..))));
                self.stream = None;
            }
        }
    }

    fn write(&mut self, tools: &Tools<'_>) {
        let request = &tools.shared.target.request;
        let Some(stream) = self.stream.as_mut().filter(|_| self.lost.is_none()) else { return };
        let sent = match request.get(self.written..).filter(|rest| !rest.is_empty()) {
            Some(rest) => stream.write(rest),
            None => stream.flush().map(|()| 0),
        };
        match sent {
            Ok(count) => self.written += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // A server may answer and close before it has read everything: the answer counts.
            Err(error) => self.lost = Some(error),
        }
    }

    fn receive(&mut self, index: u32, hung_up: bool, tools: &mut Tools<'_>) -> Option<Outcome> {
        loop {
            let stream = self.stream.as_mut()?;
            let plain = stream.is_plain();
            let count = match stream.read(tools.buffer) {
                Ok(0) if self.response.close() => return self.answered(false),
                Ok(0) => return self.broken(index, ErrorKind::UnexpectedEof.into(), tools),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock && self.lost.is_none() => return None,
                Err(error) => return self.broken(index, error, tools),
            };
            self.read += count as u64;
            match self.feed(count, tools) {
                Err(malformed) => return self.end(Err(Broken::new(Failure::Protocol, malformed.0))),
                Ok(Fed::Done { surplus }) => {
                    tools.tally.surplus += u64::from(surplus);
                    let whole = self.written == tools.shared.target.request.len();
                    return self.answered(whole && !surplus && !hung_up && tools.shared.keep_alive);
                }
                // A short read has taken all; what comes next is another event.
                Ok(Fed::Open) if plain && !hung_up && count < tools.buffer.len() && self.lost.is_none() => return None,
                Ok(Fed::Open) => {}
            }
        }
    }

    fn feed(&mut self, count: usize, tools: &mut Tools<'_>) -> Result<Fed, crate::response::Malformed> {
        let came = tools.buffer.get(..count).unwrap_or_default();
        if !self.carried.is_empty() {
            self.carried.extend_from_slice(came);
            let (used, done) = self.response.feed(&self.carried, tools.known)?;
            self.carried.drain(..used);
            return Ok(if done { Fed::Done { surplus: !self.carried.is_empty() } } else { Fed::Open });
        }
        let (used, done) = self.response.feed(came, tools.known)?;
        if done {
            return Ok(Fed::Done { surplus: used < count });
        }
        self.carried.extend_from_slice(came.get(used..).unwrap_or_default());
        Ok(Fed::Open)
    }

    fn answered(&mut self, keep: bool) -> Option<Outcome> {
        self.asked = None;
        self.reused = true;
        if !(keep && self.response.reusable) {
            self.stream = None;
        }
        let example = std::mem::take(&mut self.response.example);
        Some(Ok(Answer { status: self.response.status, bytes: self.read, example }))
    }

    fn broken(&mut self, index: u32, error: io::Error, tools: &mut Tools<'_>) -> Option<Outcome> {
        // What broke first says why.
        let error = self.lost.take().unwrap_or(error);
        let kind = Failure::of(&error);
        let untouched = self.read == 0 && matches!(kind, Failure::Closed | Failure::Reset);
        if untouched && self.reused && !self.again && tools.shared.target.idempotent {
            tools.tally.retried += 1;
            (self.stream, self.again) = (None, true);
            return self.send(index, tools);
        }
        let detail = match kind {
            Failure::Closed if error.get_ref().is_none() => "the connection was closed before the answer was whole".to_owned(),
            Failure::Refused | Failure::Connect | Failure::TimeOut => format!("connect to {}: {error}", tools.shared.address),
            _ => error.to_string(),
        };
        self.end(Err(Broken { kind, detail, untouched }))
    }

    /// Gives the request up, and the connection with it.
    pub fn end(&mut self, outcome: Outcome) -> Option<Outcome> {
        (self.asked, self.stream) = (None, None);
        Some(outcome)
    }
}

enum Fed {
    Done { surplus: bool },
    Open,
}
