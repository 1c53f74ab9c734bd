//! What is done for each question.

use super::Server;
use crate::protocol::{Answer, Asked, Request, STATE, StreamsSent};
use crate::shim::container::{Container, Pod};
use crate::shim::exec::{Kind, Pending};
use crate::shim::log::Source;
use crate::shim::poll::Interest;
use crate::spec::{ContainerSpec, ContainerState, ExecSpec, PodState, RuntimeError};
use std::os::fd::OwnedFd;

type Outcome = Result<(Answer, Vec<OwnedFd>), RuntimeError>;

impl Server {
    pub(super) fn answer(&mut self, token: u64, asked: Asked, fds: Vec<OwnedFd>) {
        let Asked { id, request } = asked;
        let outcome: Option<Outcome> = match request {
            Request::Create { spec, cgroup_root, weak } => {
                crate::weak::switch_off(weak);
                Some(self.create(*spec, &cgroup_root))
            }
            Request::Start(spec) => self.start(token, id, *spec, fds.into_iter().next()).err().map(Err),
            Request::Exec { container, spec } => self.exec(token, id, &container, &spec).err().map(Err),
            Request::Signal { container, signal, everyone } => Some(self.signal(&container, signal, everyone)),
            Request::Attach { container, once } => Some(self.attach(&container, once)),
            Request::State => Some(Ok((Answer::State(self.state()), Vec::new()))),
            Request::Shutdown => Some(self.shut_down()),
        };
        match outcome {
            None => {}
            Some(Ok((answer, fds))) => self.reply(token, id, answer, fds),
            Some(Err(error)) => self.reply(token, id, Answer::Failed(error), Vec::new()),
        }
    }

    fn create(&mut self, spec: crate::spec::PodSpec, cgroup_root: &str) -> Outcome {
        if self.pod.is_none() {
            self.pod = Some(Pod::create(spec, cgroup_root, &self.alone)?);
            self.write_state();
        }
        Ok((Answer::Pid(std::process::id()), Vec::new()))
    }

    fn start(&mut self, token: u64, id: u64, spec: ContainerSpec, filter: Option<OwnedFd>) -> Result<(), RuntimeError> {
        let pod = self.pod.as_ref().ok_or_else(|| RuntimeError::NotRunning("the pod".to_owned()))?;
        let name = spec.name.clone();
        let valid = !name.is_empty()
            && name.len() < 200
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            && !name.starts_with('.');
        if !valid {
            return Err(RuntimeError::Config(format!("`{name}` is no name for a container")));
        }
        if self.containers.get(&name).is_some_and(|known| !matches!(known.state, Some(ContainerState::Exited(_)))) {
            return Err(RuntimeError::Config(format!("the container `{name}` runs already")));
        }
        let (container, begun) = Container::begin(pod, spec, filter, &self.alone, &mut self.poller)?;
        self.containers.insert(name.clone(), container);
        self.pend(token, id, begun, Kind::Container { name })
    }

    fn exec(&mut self, token: u64, id: u64, name: &str, spec: &ExecSpec) -> Result<(), RuntimeError> {
        let missing = || RuntimeError::NotRunning(name.to_owned());
        let (pod, container) = (self.pod.as_ref().ok_or_else(missing)?, self.containers.get(name).ok_or_else(missing)?);
        let (begun, ends) = container.begin_exec(pod, spec, &self.alone)?;
        self.pend(token, id, begun, Kind::Exec { ends, stdin: spec.stdin })
    }

    fn pend(&mut self, connection: u64, question: u64, begun: crate::shim::container::Begun, kind: Kind) -> Result<(), RuntimeError> {
        let token = self.poller.add(&begun.words, Interest::Read).map_err(crate::protocol::host("watch the process"))?;
        self.pending.push(Pending { begun, token, connection, question, pid: None, terminal: None, failed: None, kind });
        Ok(())
    }

    fn signal(&mut self, name: &str, signal: i32, everyone: bool) -> Outcome {
        let container = self.containers.get(name).ok_or_else(|| RuntimeError::NotRunning(name.to_owned()))?;
        let pidfd = container.pidfd.as_ref().ok_or_else(|| RuntimeError::NotRunning(name.to_owned()))?;
        if everyone {
            container.group.signal(signal);
            return Ok((Answer::Done, Vec::new()));
        }
        match sys::task::pidfd_signal(pidfd, signal) {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {
                Err(RuntimeError::NotRunning(name.to_owned()))
            }
            Err(error) => Err(crate::protocol::host(format!("send signal {signal} to `{name}`"))(error)),
            Ok(()) => Ok((Answer::Done, Vec::new())),
        }
    }

    fn attach(&mut self, name: &str, once: bool) -> Outcome {
        let missing = || RuntimeError::NotRunning(name.to_owned());
        let container = self.containers.get_mut(name).ok_or_else(missing)?;
        let running = container.pidfd.is_some();
        let made = crate::protocol::host(format!("join the streams of `{name}`"));
        attach(container, running, once, &mut self.poller).map_err(made)?.ok_or_else(missing)
    }

    pub(super) fn state(&self) -> PodState {
        let known =
            self.containers.iter().filter_map(|(name, container)| Some((name.clone(), (container.spec.attempt, container.state.clone()?))));
        PodState { shim_pid: Some(std::process::id()), containers: known.collect() }
    }

    /// Beside and renamed, so that it is whole; not synced: it is of no use after the machine has gone down. Each has a
    /// name of its own, as to replace a file makes ext4 write it out first.
    pub(super) fn write_state(&mut self) {
        let Some(pod) = &self.pod else { return };
        let name = |number: u64| pod.spec.folder.join(format!("{STATE}.{number}"));
        let beside = pod.spec.folder.join(".state.new");
        if let Ok(text) = serde_json::to_vec(&self.state()) {
            let _ = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, name(self.states + 1)));
            let _ = std::fs::remove_file(name(self.states));
            self.states += 1;
        }
    }

    fn shut_down(&mut self) -> Outcome {
        self.over = true;
        if let Some(pod) = &self.pod {
            // A container's first process takes all of its own with it; the group those that share process ids.
            for container in self.containers.values() {
                if let Some(pidfd) = &container.pidfd {
                    let _ = sys::task::pidfd_signal(pidfd, 9);
                }
            }
            for pending in &self.pending {
                let _ = sys::task::pidfd_signal(&pending.begun.pidfd, 9);
            }
            pod.group.kill_all(std::time::Duration::from_secs(2));
            while let Ok(Some(_)) = sys::task::reap() {}
            pod.group.remove().map_err(crate::protocol::host("remove the pod's cgroup"))?;
        }
        Ok((Answer::Done, Vec::new()))
    }
}

fn attach(
    container: &mut Container,
    running: bool,
    once: bool,
    poller: &mut crate::shim::poll::Poller,
) -> std::io::Result<Option<(Answer, Vec<OwnedFd>)>> {
    let streams = &mut container.streams;
    let mut sent = StreamsSent {
        attempt: container.spec.attempt,
        stdin: container.spec.stdin,
        stderr: !container.spec.terminal,
        terminal: container.spec.terminal,
    };
    let mut fds = Vec::new();
    if let Some(outputs) = streams.take() {
        // Nobody else reads: the pipes themselves go, and what was written so far is in them.
        fds.extend(streams.stdin.take());
        sent.stdin = !fds.is_empty() || sent.terminal && sent.stdin;
        fds.extend(outputs.into_iter().map(|(_, fd)| fd));
        fds.extend(streams.terminal.take());
        return Ok(Some((Answer::Streams(sent), fds)));
    }
    if !running || !streams.is_logged() {
        return Ok(None);
    }
    match &streams.stdin {
        Some(_) if once => fds.extend(streams.stdin.take()),
        Some(stdin) => fds.push(sys::fds::duplicate(stdin)?),
        None => {}
    }
    let terminal = streams.terminal.as_ref().map(sys::fds::duplicate).transpose()?;
    sent.stdin &= !fds.is_empty() || sent.terminal;
    let wanted = if sent.terminal { vec![Source::Stdout] } else { vec![Source::Stdout, Source::Stderr] };
    for source in wanted {
        let (read, write) = sys::fds::pipe()?;
        streams.attach(poller, source, write)?;
        fds.push(read);
    }
    fds.extend(terminal);
    Ok(Some((Answer::Streams(sent), fds)))
}
