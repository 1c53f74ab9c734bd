//! One connection to one shim: questions and answers by number, and news.

use crate::protocol::{Answer, Asked, Framer, Request, Said};
use crate::spec::{PodId, RuntimeError, RuntimeEvent};
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, Ready};
use tokio::sync::{Notify, broadcast, oneshot, watch};

type Answered = Result<(Answer, Vec<OwnedFd>), RuntimeError>;
type Exited = oneshot::Sender<Result<i32, RuntimeError>>;

/// Where news goes.
pub struct Listener {
    /// Whose shim this is.
    pub pod: PodId,
    /// To whom.
    pub events: broadcast::Sender<RuntimeEvent>,
}

/// A connection; copies are the same one.
#[derive(Clone)]
pub struct Link(Arc<Shared>);

struct Shared {
    socket: AsyncFd<UnixStream>,
    framer: Mutex<Framer>,
    outbound: Notify,
    next: AtomicU64,
    waiting: Mutex<Waiting>,
    // Going is expected: no news of it.
    leaving: AtomicBool,
    alive: AtomicBool,
    pidfd: Mutex<Option<OwnedFd>>,
    ended: watch::Sender<bool>,
}

#[derive(Default)]
struct Waiting {
    answers: HashMap<u64, oneshot::Sender<Answered>>,
    execs: HashMap<u64, Exited>,
    // Ends that came before anybody asked.
    exec_codes: HashMap<u64, i32>,
    containers: HashMap<(String, u32), Vec<Exited>>,
}

fn gone() -> RuntimeError {
    RuntimeError::NotRunning("the pod's shim".to_owned())
}

impl Link {
    /// Begins to listen; `when_gone` is run when the shim ends without being asked to.
    pub fn begin<F: Future<Output = ()> + Send>(
        socket: UnixStream,
        child: Option<std::process::Child>,
        listener: Listener,
        when_gone: impl FnOnce() -> F + Send + 'static,
    ) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let shared = Shared {
            socket: super::watched(socket, Interest::READABLE | Interest::WRITABLE)?,
            framer: Mutex::default(),
            outbound: Notify::new(),
            next: AtomicU64::new(1),
            waiting: Mutex::default(),
            leaving: AtomicBool::new(false),
            alive: AtomicBool::new(true),
            pidfd: Mutex::default(),
            ended: watch::Sender::new(false),
        };
        let link = Self(Arc::new(shared));
        let running = link.clone();
        tokio::spawn(async move {
            let _ = running.listen(&listener).await;
            running.0.alive.store(false, Ordering::Release);
            running.give_up();
            running.take_end(child).await;
            // Before the news: who removes the pod waits for this, and the news waits for who removes it.
            running.0.ended.send_replace(true);
            if !running.0.leaving.load(Ordering::Acquire) {
                when_gone().await;
            }
        });
        Ok(link)
    }

    /// Whether the connection stands.
    pub fn is_alive(&self) -> bool {
        self.0.alive.load(Ordering::Acquire)
    }

    /// Its end will be no news.
    pub fn leave(&self) {
        self.0.leaving.store(true, Ordering::Release);
    }

    /// Which process it is.
    pub fn set_pid(&self, pid: Option<u32>) {
        *super::lock(&self.0.pidfd) = pid.and_then(|pid| sys::task::pidfd_open(pid).ok());
    }

    /// Ends the shim at once, and with it what it holds.
    pub fn kill(&self) {
        if let Some(pidfd) = super::lock(&self.0.pidfd).as_ref() {
            let _ = sys::task::pidfd_signal(pidfd, 9);
        }
    }

    /// Waits until the shim has ended.
    pub async fn ended(&self) {
        let _ = self.0.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Asks, and waits for the answer.
    pub async fn ask(&self, request: Request, fds: Vec<OwnedFd>) -> Answered {
        self.ask_numbered(request, fds).1.await
    }

    /// Asks; the number of the question, and the answer to be waited for.
    pub fn ask_numbered(&self, request: Request, fds: Vec<OwnedFd>) -> (u64, impl Future<Output = Answered> + use<>) {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        super::lock(&self.0.waiting).answers.insert(id, sender);
        let queued = super::lock(&self.0.framer).queue(&Asked { id, request }, fds);
        // Sent from here: usually it goes at once, without waking the listener.
        let flushed = queued.and_then(|()| super::lock(&self.0.framer).flush(self.0.socket.get_ref()));
        self.0.outbound.notify_one();
        if flushed.is_err() || !self.is_alive() {
            super::lock(&self.0.waiting).answers.remove(&id);
        }
        (id, async move { receiver.await.unwrap_or_else(|_| Err(gone())) })
    }

    /// The end of a container's attempt.
    pub fn wait_container(&self, name: &str, attempt: u32) -> oneshot::Receiver<Result<i32, RuntimeError>> {
        let (sender, receiver) = oneshot::channel();
        super::lock(&self.0.waiting).containers.entry((name.to_owned(), attempt)).or_default().push(sender);
        receiver
    }

    /// The end of the process that a question started.
    pub fn wait_exec(&self, id: u64) -> oneshot::Receiver<Result<i32, RuntimeError>> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = super::lock(&self.0.waiting);
        match waiting.exec_codes.remove(&id) {
            Some(code) => drop(sender.send(Ok(code))),
            None if self.is_alive() => drop(waiting.execs.insert(id, sender)),
            None => drop(sender.send(Err(gone()))),
        }
        receiver
    }

    /// Tells those who wait for a container that it has ended.
    pub fn tell_exit(&self, name: &str, attempt: u32, code: i32) {
        let waiting = super::lock(&self.0.waiting).containers.remove(&(name.to_owned(), attempt));
        for sender in waiting.into_iter().flatten() {
            let _ = sender.send(Ok(code));
        }
    }

    async fn listen(&self, listener: &Listener) -> io::Result<()> {
        loop {
            let outbound = super::lock(&self.0.framer).has_outbound();
            let interest = if outbound { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            let mut ready = tokio::select! {
                ready = self.0.socket.ready(interest) => ready?,
                () = self.0.outbound.notified() => continue,
            };
            if ready.ready().is_writable() {
                let mut framer = super::lock(&self.0.framer);
                framer.flush(self.0.socket.get_ref())?;
                if framer.has_outbound() {
                    ready.clear_ready_matching(Ready::WRITABLE);
                }
            }
            if ready.ready().is_readable() || ready.ready().is_read_closed() {
                ready.clear_ready_matching(Ready::READABLE);
                let open = super::lock(&self.0.framer).fill(self.0.socket.get_ref())?;
                loop {
                    let next = super::lock(&self.0.framer).next::<Said>()?;
                    let Some((said, fds)) = next else { break };
                    self.hear(listener, said, fds);
                }
                if !open {
                    return Ok(());
                }
            }
        }
    }

    fn hear(&self, listener: &Listener, said: Said, fds: Vec<OwnedFd>) {
        match said {
            Said::Answer { id, answer } => {
                let waiting = super::lock(&self.0.waiting).answers.remove(&id);
                if let Some(sender) = waiting {
                    let _ = sender.send(Ok((answer, fds)));
                }
            }
            Said::Exited { container, attempt, exit } => {
                self.tell_exit(&container, attempt, exit.code);
                let _ = listener.events.send(RuntimeEvent::Exited { pod: listener.pod.clone(), container, attempt, exit });
            }
            Said::ExecEnded { id, code } => {
                let mut waiting = super::lock(&self.0.waiting);
                match waiting.execs.remove(&id) {
                    Some(sender) => drop(sender.send(Ok(code))),
                    None => drop(waiting.exec_codes.insert(id, code)),
                }
            }
        }
    }

    fn give_up(&self) {
        let Waiting { answers, execs, containers, .. } = std::mem::take(&mut *super::lock(&self.0.waiting));
        answers.into_values().for_each(|sender| drop(sender.send(Err(gone()))));
        let ends = execs.into_values().chain(containers.into_values().flatten());
        ends.for_each(|sender| drop(sender.send(Err(gone()))));
    }

    // The socket closes a moment before the process is gone; a child also leaves a status to be taken.
    async fn take_end(&self, child: Option<std::process::Child>) {
        let pidfd = super::lock(&self.0.pidfd).take().and_then(|pidfd| super::watched(pidfd, Interest::READABLE).ok());
        if let Some(pidfd) = pidfd
            && tokio::time::timeout(std::time::Duration::from_secs(5), pidfd.readable()).await.is_err()
        {
            // It has hung up and lives: of no use to anybody, and nobody would ever end it.
            let _ = sys::task::pidfd_signal(pidfd.get_ref(), 9);
            let _ = pidfd.readable().await;
        }
        if let Some(mut child) = child {
            let _ = child.try_wait();
        }
    }
}
