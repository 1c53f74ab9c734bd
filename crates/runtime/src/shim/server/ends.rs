//! What happens when a start is over, and when a process ends.

use super::Server;
use crate::protocol::{Answer, Said, StreamsSent};
use crate::shim::exec::{Kind, Pending};
use crate::shim::log::Source;
use crate::spec::{ContainerState, Exit, RuntimeError};
use base::{Clock, SystemClock};
use std::time::Duration;
use sys::task::Ended;

impl Server {
    pub(super) fn container_started(&mut self, pending: Pending) {
        let Kind::Container { name } = &pending.kind else { return };
        let shared_ids = self.pod.as_ref().is_some_and(|pod| pod.shared.process_ids().is_some());
        let outcome = match (pending.failed, pending.pid) {
            (Some(error), _) => Err(error),
            (None, None) if shared_ids => {
                Err(RuntimeError::Host { doing: format!("start `{name}`"), reason: "it was killed while it was being prepared".to_owned() })
            }
            (None, None) => Ok((pending.begun.pid, pending.begun.pidfd)),
            (None, Some(pid)) => match sys::task::pidfd_open(pid) {
                Ok(pidfd) => Ok((pid, pidfd)),
                // It has ended and was reaped before its id was heard of: its end is taken right below.
                Err(_) if self.early.iter().any(|ended| ended.pid == pid) => Ok((pid, pending.begun.pidfd)),
                Err(error) => Err(crate::protocol::host(format!("watch `{name}`"))(error)),
            },
        };
        match outcome {
            Ok((pid, pidfd)) => {
                if let Some(container) = self.containers.get_mut(name) {
                    container.runs(pid, pidfd);
                    if let Some(terminal) = pending.terminal {
                        let copy = sys::fds::duplicate(&terminal);
                        container.streams.terminal = Some(terminal);
                        if let Ok(copy) = copy {
                            let _ = container.streams.add(&mut self.poller, Source::Stdout, copy);
                        }
                    }
                }
                self.write_state();
                self.reply(pending.connection, pending.question, Answer::Pid(pid), Vec::new());
                self.catch_up(pid);
            }
            Err(error) => {
                if let Some(mut container) = self.containers.remove(name) {
                    container.streams.drain(&mut self.poller, &mut self.buffers);
                    container.group.kill_all(Duration::from_secs(1));
                    let _ = container.group.remove();
                }
                self.reply(pending.connection, pending.question, Answer::Failed(error), Vec::new());
            }
        }
    }

    pub(super) fn exec_started(&mut self, pending: Pending) {
        let Kind::Exec { ends, stdin } = pending.kind else { return };
        let (pid, error) = match (pending.failed, pending.pid) {
            (None, Some(pid)) => (pid, None),
            (Some(error), _) => (0, Some(error)),
            (None, None) => (0, Some(RuntimeError::NotRunning("the container".to_owned()))),
        };
        if let Some(error) = error {
            return self.reply(pending.connection, pending.question, Answer::Failed(error), Vec::new());
        }
        let sent = StreamsSent { stdin, stderr: pending.terminal.is_none(), terminal: pending.terminal.is_some(), attempt: 0 };
        let mut fds: Vec<_> = ends.into_iter().flatten().collect();
        if let Some(terminal) = pending.terminal {
            // Output and terminal are one.
            fds.extend(sys::fds::duplicate(&terminal));
            fds.push(terminal);
        }
        self.execs.insert(pid, (pending.connection, pending.question));
        self.reply(pending.connection, pending.question, Answer::Streams(sent), fds);
        self.catch_up(pid);
    }

    // Its end may have been taken before its id was told.
    fn catch_up(&mut self, pid: u32) {
        if let Some(index) = self.early.iter().position(|ended| ended.pid == pid) {
            let ended = self.early.swap_remove(index);
            self.ended(ended);
        }
        if self.pending.is_empty() {
            self.early.clear();
        }
    }

    pub(super) fn ended(&mut self, ended: Ended) {
        if let Some((connection, id)) = self.execs.remove(&ended.pid) {
            return self.say(connection, &Said::ExecEnded { id, code: ended.code }, Vec::new());
        }
        let first = self.containers.iter().find(|(_, container)| container.pid == ended.pid && container.pidfd.is_some());
        match first.map(|(name, _)| name.clone()) {
            Some(name) => self.container_ended(&name, ended),
            // An orphan, or one whose id is yet to be told.
            None if !self.pending.is_empty() => self.early.push(ended),
            None => {}
        }
    }

    fn container_ended(&mut self, name: &str, ended: Ended) {
        let Some(container) = self.containers.get_mut(name) else { return };
        let finished = SystemClock.now();
        container.pidfd = None;
        if self.pod.as_ref().is_some_and(|pod| pod.shared.process_ids().is_some()) {
            // With process ids of its own the kernel has done this.
            container.group.kill_all(Duration::from_millis(500));
        }
        container.streams.drain(&mut self.poller, &mut self.buffers);
        let oom_killed = container.group.oom_kills() > 0;
        let exit = Exit { code: ended.code, signal: ended.signal, oom_killed, started: container.started, finished };
        container.state = Some(ContainerState::Exited(exit.clone()));
        let said = Said::Exited { container: name.to_owned(), attempt: container.spec.attempt, exit };
        self.write_state();
        self.say_to_all(&said);
        if let Some(container) = self.containers.get_mut(name) {
            // After the news: taking mounts apart waits for all processors.
            container.mounts = None;
            container.filters = Vec::new();
            let _ = container.group.remove();
        }
    }
}
