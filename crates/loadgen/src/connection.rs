//! One connection: sends a request, reads its answer.

use crate::response::Response;
use crate::tally::Failure;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Room for what has been read and not used.
const ROOM: usize = 16 * 1024;

/// A connection with what has come on it.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
}

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) struct Broken {
    pub kind: Failure,
    pub detail: String,
    /// The connection ended before any byte of the answer came.
    pub untouched: bool,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Result<Self, Broken> {
        let stream = TcpStream::connect(address).await.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        let failed = |error: io::Error| {
            let kind = if error.kind() == io::ErrorKind::ConnectionRefused { Failure::Refused } else { Failure::Connect };
            Broken { kind, detail: format!("connect to {address}: {error}"), untouched: false }
        };
        Ok(Self { stream: stream.map_err(failed)?, buffer: vec![0; ROOM], from: 0, to: 0 })
    }

    /// Whether the other side has closed it while nothing was asked, as servers do with idle connections.
    pub fn is_closed(&self) -> bool {
        !matches!(self.stream.try_read(&mut [0; 1]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends a request and reads the whole answer; returns it with the number of bytes read.
    pub async fn exchange(&mut self, request: &[u8], bodiless: bool) -> Result<(Response, u64), Broken> {
        let mut response = Response::new(bodiless);
        let mut bytes = 0;
        if let Err(error) = self.stream.write_all(request).await {
            // A server may answer and close before it has read everything: the answer counts.
            return self.last_words(response, error).await;
        }
        loop {
            let input = self.buffer.get(self.from..self.to).unwrap_or_default();
            if !input.is_empty() {
                let malformed =
                    |why: crate::response::Malformed| Broken { kind: Failure::Protocol, detail: why.0.to_owned(), untouched: false };
                let (used, done) = response.feed(input).map_err(malformed)?;
                self.from += used;
                if done {
                    return Ok((response, bytes));
                }
            }
            match self.read().await {
                Ok(0) if response.close() => return Ok((response, bytes)),
                Ok(0) => return Err(self.ended(Failure::Closed, "the connection was closed before the answer was whole", bytes)),
                Ok(count) => bytes += count,
                Err(error) => return Err(self.ended(kind_of(&error), &error.to_string(), bytes)),
            }
        }
    }

    async fn last_words(&mut self, mut response: Response, error: io::Error) -> Result<(Response, u64), Broken> {
        let mut bytes = 0;
        while let Ok(count @ 1..) = self.read().await {
            bytes += count;
            let input = self.buffer.get(self.from..self.to).unwrap_or_default();
            match response.feed(input) {
                Ok((used, done)) => {
                    self.from += used;
                    if done {
                        response.close();
                        return Ok((response, bytes));
                    }
                }
                Err(_) => break,
            }
        }
        Err(self.ended(kind_of(&error), &error.to_string(), bytes))
    }

    fn ended(&self, kind: Failure, detail: &str, bytes: u64) -> Broken {
        Broken { kind, detail: detail.to_owned(), untouched: bytes == 0 && self.from == self.to }
    }

    async fn read(&mut self) -> io::Result<u64> {
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
        } else if self.to == self.buffer.len() {
            self.buffer.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
            if self.to == self.buffer.len() {
                // Only a head that is not whole yet is kept, and the parser limits its length.
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
        }
        let count = self.stream.read(self.buffer.get_mut(self.to..).unwrap_or_default()).await?;
        self.to += count;
        Ok(count as u64)
    }
}

fn kind_of(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => Failure::Reset,
        io::ErrorKind::TimedOut => Failure::TimeOut,
        _ => Failure::Connect,
    }
}
