//! One connection that never waits, with TLS or without.

use crate::tls::Secure;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, ipproto, sockopt};
use rustls::ClientConnection;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

/// See the module.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: OwnedFd,
    tls: Option<Box<ClientConnection>>,
}

impl Stream {
    /// Begins to connect.
    ///
    /// # Errors
    /// When it fails at once, as it does where nobody listens on this machine.
    pub fn open(address: SocketAddr, secure: Option<&Secure>) -> io::Result<Self> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        match rustix::net::connect(&socket, &address) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        let tls = secure.map(|secure| {
            let mut tls = ClientConnection::new(secure.config.clone(), secure.name.clone()).map_err(io::Error::other)?;
            // A request waits in it until the handshake is done.
            tls.set_buffer_limit(None);
            Ok::<_, io::Error>(Box::new(tls))
        });
        Ok(Self { socket, tls: tls.transpose()? })
    }

    /// Whether one read takes all that came, so that a short one says that no more is there.
    pub fn is_plain(&self) -> bool {
        self.tls.is_none()
    }

    /// Reads what came.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there; otherwise the connection is of no use any more.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return Raw(self.socket.as_fd()).read(buffer) };
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                done => return done,
            }
            let came = tls.read_tls(&mut Raw(self.socket.as_fd()))?;
            let processed = tls.process_new_packets();
            // Keys, and the alert that says what was wrong.
            let sent = flush(tls, self.socket.as_fd());
            processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
            sent?;
            if came == 0 && tls.is_handshaking() {
                return Err(io::Error::new(ErrorKind::UnexpectedEof, "the connection was closed during the TLS handshake"));
            }
        }
    }

    /// Sends the beginning of bytes, all of them where they wait in TLS.
    ///
    /// # Errors
    /// `WouldBlock` when there is no room, or for want of a connection yet.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return Raw(self.socket.as_fd()).write(bytes) };
        let taken = tls.writer().write(bytes)?;
        flush(tls, self.socket.as_fd()).map(|()| taken)
    }

    /// Sends what waits in TLS.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn flush(&mut self) -> io::Result<()> {
        self.tls.as_mut().map_or(Ok(()), |tls| flush(tls, self.socket.as_fd()))
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn flush(tls: &mut ClientConnection, socket: BorrowedFd<'_>) -> io::Result<()> {
    while tls.wants_write() {
        match tls.write_tls(&mut Raw(socket)) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The socket itself.
struct Raw<'a>(BorrowedFd<'a>);

impl Read for Raw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| rustix::io::read(self.0, &mut *buffer))?)
    }
}

impl Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| rustix::net::send(self.0, bytes, SendFlags::NOSIGNAL))?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
