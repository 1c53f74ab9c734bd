//! An ssh agent for one step: a socket of its own in front of the user's, which lists keys and signs, and nothing else
//! (draft-ietf-sshm-ssh-agent section 3).

use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// `SSH_AGENTC_REQUEST_IDENTITIES` and `SSH_AGENTC_SIGN_REQUEST`.
const ALLOWED: [u8; 2] = [11, 13];
/// `SSH_AGENT_FAILURE`, as a whole message.
const FAILURE: [u8; 5] = [0, 0, 0, 1, 5];
/// OpenSSH's own limit.
const MAX_MESSAGE: u32 = 256 * 1024;
/// More connections of one step wait.
const CONNECTIONS: usize = 32;

/// A socket that is answered for as long as this lives.
pub struct Forwarded(JoinHandle<()>);

impl Forwarded {
    /// Listens at `place` for whoever `owner` is; must be called inside of a tokio runtime.
    ///
    /// # Errors
    /// When nothing can listen there.
    pub fn open(agent: PathBuf, place: &Path, mode: u32, owner: (u32, u32)) -> io::Result<Self> {
        // Nobody else reaches it before it has its owner: the folder is root's alone.
        let listener = UnixListener::bind(place)?;
        std::fs::set_permissions(place, std::fs::Permissions::from_mode(mode))?;
        chown(place, Some(owner.0), Some(owner.1))?;
        Ok(Self(tokio::spawn(serve(listener, agent))))
    }
}

impl Drop for Forwarded {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn serve(listener: UnixListener, agent: PathBuf) {
    let (places, mut answered) = (Arc::new(Semaphore::new(CONNECTIONS)), tokio::task::JoinSet::new());
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else { return };
        let agent = agent.clone();
        // Dropped with this, and the connections with them.
        answered.spawn(async move {
            let _place = place;
            let _ = answer(stream, &agent).await;
        });
        while answered.try_join_next().is_some() {}
    }
}

async fn answer(mut stream: UnixStream, agent: &Path) -> io::Result<()> {
    let mut own = UnixStream::connect(agent).await?;
    loop {
        let request = message(&mut stream).await?;
        if !request.first().is_some_and(|kind| ALLOWED.contains(kind)) {
            stream.write_all(&FAILURE).await?;
            continue;
        }
        send(&mut own, &request).await?;
        let reply = message(&mut own).await?;
        send(&mut stream, &reply).await?;
    }
}

async fn message(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let length = stream.read_u32().await?;
    if length > MAX_MESSAGE {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = Vec::new();
    let read = stream.take(u64::from(length)).read_to_end(&mut message).await?;
    if read < length as usize { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(message) }
}

async fn send(stream: &mut UnixStream, message: &[u8]) -> io::Result<()> {
    let length = u32::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    stream.write_all(&[&length.to_be_bytes(), message].concat()).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers every message with its kind and one more.
    async fn echo(listener: UnixListener) {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                while let Ok(request) = message(&mut stream).await {
                    let _ = send(&mut stream, &[request[0] + 1, 7]).await;
                }
            });
        }
    }

    #[tokio::test]
    async fn only_listing_and_signing_reach_the_agent() {
        let folder = std::env::temp_dir().join(format!("wharf-agent-{}", base::ids::suffix(8)));
        std::fs::create_dir(&folder).expect("folder");
        let agent = folder.join("agent");
        tokio::spawn(echo(UnixListener::bind(&agent).expect("agent")));
        let place = folder.join("socket");
        let forwarded = Forwarded::open(agent, &place, 0o600, (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()))
            .expect("open");
        let mut stream = UnixStream::connect(&place).await.expect("connected");
        // 17, 18, 19, 22: adding, removing, locking; 27: extensions.
        for (kind, expected) in
            [(11, vec![12, 7]), (17, vec![5]), (13, vec![14, 7]), (18, vec![5]), (19, vec![5]), (22, vec![5]), (27, vec![5])]
        {
            send(&mut stream, &[kind, 1, 2, 3]).await.expect("sent");
            assert_eq!(message(&mut stream).await.expect("answered"), expected, "{kind}");
        }
        send(&mut stream, &[]).await.expect("sent");
        assert_eq!(message(&mut stream).await.expect("answered"), [5]);
        stream.write_all(&u32::MAX.to_be_bytes()).await.expect("sent");
        assert!(message(&mut stream).await.is_err(), "what is too long ends the connection");
        let mut left = UnixStream::connect(&place).await.expect("connected");
        drop(forwarded);
        assert!(message(&mut left).await.is_err(), "nobody answers when the step is over");
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
