//! How requests end.

use rustix::io::Errno;
use std::io;
use std::time::Duration;

/// How one request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Failure {
    Status,
    Refused,
    Reset,
    Closed,
    TimeOut,
    Protocol,
    Tls,
    Connect,
    NotSent,
    Generator,
}

impl Failure {
    /// As reports name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Closed => "closed",
            Self::TimeOut => "time-out",
            Self::Protocol => "protocol",
            Self::Tls => "tls",
            Self::Connect => "connect",
            Self::NotSent => "not-sent",
            Self::Generator => "generator",
        }
    }

    /// Of an error of a socket or of TLS.
    pub fn of(error: &io::Error) -> Self {
        if let Some(Errno::MFILE | Errno::NFILE | Errno::ADDRNOTAVAIL | Errno::NOBUFS | Errno::NOMEM) = Errno::from_io_error(error) {
            return Self::Generator;
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => Self::Reset,
            io::ErrorKind::TimedOut => Self::TimeOut,
            io::ErrorKind::InvalidData => Self::Tls,
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Connect,
        }
    }
}

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) struct Broken {
    pub kind: Failure,
    pub detail: String,
    /// The connection ended before any byte of the answer came.
    pub untouched: bool,
}

impl Broken {
    /// One that no second try can help.
    pub fn new(kind: Failure, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), untouched: false }
    }

    /// That it took too long.
    pub fn too_late(timeout: Duration) -> Self {
        Self::new(Failure::TimeOut, format!("no answer within {timeout:?}"))
    }

    /// That it waited for a connection until its time was over.
    pub fn not_sent() -> Self {
        Self::new(Failure::NotSent, "all connections were in use until its time was over: raise `-c`")
    }
}

/// What came of one request that was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    /// Bytes that were read.
    pub bytes: u64,
    /// Beginning of the body of a failed answer.
    pub example: Vec<u8>,
}
