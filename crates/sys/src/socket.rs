//! Local sockets that carry open files, and addresses longer than the kernel's 108 bytes.

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// Most descriptors in one message.
pub const MAX_FDS: usize = 8;

/// Sends bytes, and with the first of them descriptors; returns how many bytes went. The receiver must not miss the first.
///
/// # Errors
/// `EAGAIN` when nothing went on a socket that does not wait; `EINVAL` past [`MAX_FDS`]; what the system says.
pub fn send(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(rustix::io::Errno::INVAL.into());
    }
    loop {
        match rustix::net::sendmsg(socket.as_fd(), &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL) {
            Err(rustix::io::Errno::INTR) => {}
            other => return Ok(other?),
        }
    }
}

/// Receives bytes into `buffer` and the descriptors that came with them into `fds`; 0 is the end.
///
/// # Errors
/// `EAGAIN` when there is nothing on a socket that does not wait; what the system says.
pub fn receive(socket: impl AsFd, buffer: &mut [u8], fds: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = loop {
        match rustix::net::recvmsg(socket.as_fd(), &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?.bytes,
        }
    };
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(more) = message {
            fds.extend(more);
        }
    }
    Ok(got)
}

/// Listens on `folder/name`, mode 0600; whatever had the name is removed.
///
/// # Errors
/// What the system says.
pub fn listen(folder: &Path, name: &str) -> io::Result<UnixListener> {
    let opened = crate::Root::open(folder)?;
    let path = folder.join(name);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // By the folder's handle: a socket's address holds 108 bytes, and folders can be deeper.
    let listener = UnixListener::bind(format!("{}/{name}", crate::path::fd_path(&opened)))?;
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(listener)
}

/// Connects to the socket `folder/name`.
///
/// # Errors
/// `ECONNREFUSED` when nobody listens, and what the system says.
pub fn connect(folder: &Path, name: &str) -> io::Result<UnixStream> {
    let opened = crate::Root::open(folder)?;
    UnixStream::connect(format!("{}/{name}", crate::path::fd_path(&opened)))
}

/// The user id of the process on the other side.
///
/// # Errors
/// What the system says.
pub fn peer_uid(socket: impl AsFd) -> io::Result<u32> {
    Ok(rustix::net::sockopt::socket_peercred(socket)?.uid.as_raw())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn files_travel_with_bytes() {
        let folder = std::env::temp_dir().join(format!("wharf-socket-{}/{}", std::process::id(), "deep".repeat(40)));
        std::fs::create_dir_all(&folder).expect("folder");
        let listener = listen(&folder, "sock").expect("listens");
        let client = connect(&folder, "sock").expect("connects");
        let (server, _) = listener.accept().expect("accepts");
        let (read, write) = crate::fds::pipe().expect("pipe");
        assert_eq!(send(&client, b"hello", &[write.as_fd()]).expect("sent"), 5);
        drop(write);
        let (mut buffer, mut fds) = ([0; 16], Vec::new());
        assert_eq!(receive(&server, &mut buffer, &mut fds).expect("received"), 5);
        std::fs::File::from(fds.pop().expect("one came")).write_all(b"through").expect("written");
        let mut text = String::new();
        std::fs::File::from(read).read_to_string(&mut text).expect("read");
        assert_eq!(text, "through");
        std::fs::remove_dir_all(folder.parent().expect("parent")).expect("removed");
    }
}
