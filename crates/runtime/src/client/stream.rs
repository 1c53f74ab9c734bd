//! Streams over descriptors that came from a shim: pipes and terminals.

use crate::protocol::StreamsSent;
use crate::spec::{RuntimeError, Streams};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::sync::oneshot;

/// One end of a pipe, or a terminal.
#[derive(Clone)]
struct Pipe(Arc<AsyncFd<OwnedFd>>);

impl Pipe {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        sys::fds::set_nonblocking(&fd, true)?;
        Ok(Self(Arc::new(super::watched(fd, Interest::READABLE | Interest::WRITABLE)?)))
    }
}

impl AsyncRead for Pipe {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.0.poll_read_ready(context))?;
            let read = guard.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), buffer.initialize_unfilled())?));
            match read {
                Ok(Ok(count)) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                // A terminal whose last program has ended answers with an error instead of the end.
                Ok(Err(error)) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => return Poll::Ready(Ok(())),
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(Err(error)) => return Poll::Ready(Err(error)),
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.0.poll_write_ready(context))?;
            match guard.try_io(|fd| Ok(rustix::io::write(fd.get_ref(), bytes)?)) {
                Ok(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(written) => return Poll::Ready(written),
                Err(_would_block) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    // The end of a pipe is told by dropping it, which whoever shuts down does next.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Puts streams together from descriptors in the order in which they are sent.
pub fn assemble(sent: StreamsSent, fds: Vec<OwnedFd>, exit: oneshot::Receiver<Result<i32, RuntimeError>>) -> io::Result<Streams> {
    let mut fds = fds.into_iter();
    let mut next = || fds.next().ok_or_else(|| io::Error::other("a descriptor is missing"));
    if sent.terminal {
        let (output, terminal) = (Pipe::new(next()?)?, Pipe::new(next()?)?);
        let stdin = sent.stdin.then(|| Box::new(terminal.clone()) as Box<dyn AsyncWrite + Send + Unpin>);
        return Ok(Streams { stdin, stdout: Box::new(output), stderr: None, resize: Some(resizer(terminal)), exit });
    }
    let stdin = if sent.stdin { Some(Box::new(Pipe::new(next()?)?) as Box<dyn AsyncWrite + Send + Unpin>) } else { None };
    let stdout = Box::new(Pipe::new(next()?)?);
    let stderr = if sent.stderr { Some(Box::new(Pipe::new(next()?)?) as Box<dyn AsyncRead + Send + Unpin>) } else { None };
    Ok(Streams { stdin, stdout, stderr, resize: None, exit })
}

fn resizer(terminal: Pipe) -> tokio::sync::mpsc::UnboundedSender<(u16, u16)> {
    let (sender, mut sizes) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some((columns, rows)) = sizes.recv().await {
            let _ = sys::pty::resize(terminal.0.get_ref(), columns, rows);
        }
    });
    sender
}
