//! A container as the shim holds it, and the shim's half of starting one.

use super::child::{self, Job, Stdio};
use super::log::{Log, Source};
use super::pod::Shared;
use super::poll::Poller;
use super::streams::Streams;
use crate::cgroup::{Cgroups, Group};
use crate::protocol::host;
use crate::seccomp;
use crate::spec::{ContainerSpec, ContainerState, PodSpec, RuntimeError};
use base::{Clock, SystemClock, Timestamp};
use rustix::fs::OFlags;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use sys::fds::pipe;
use sys::seccomp::Instruction;
use sys::task::{self, Fork, Forked, Namespaces, OnlyThread};

/// The pod that this shim is.
#[derive(Debug)]
pub struct Pod {
    /// As asked.
    pub spec: PodSpec,
    /// This machine's cgroups.
    pub cgroups: Cgroups,
    /// Its own group, in which the containers' are.
    pub group: Group,
    /// What is shared.
    pub shared: Shared,
}

impl Pod {
    /// Makes the pod around this process. On failure nothing is left but namespaces that end with it.
    ///
    /// # Errors
    /// What cannot be made.
    pub fn create(spec: PodSpec, cgroup_root: &str, alone: &OnlyThread) -> Result<Self, RuntimeError> {
        // The last to be killed for lack of memory, where the host lets it say so; containers say their own.
        let own = format!("{}/oom_score_adj", std::process::id());
        let _ = sys::proc::Proc::open().and_then(|proc| proc.write(&own, b"-998"));
        let cgroups = Cgroups::detect(cgroup_root).map_err(host("find the cgroups"))?;
        let group = cgroups.group(&spec.cgroup);
        let shared = Shared::enter(&spec, alone)?;
        group.create(&sys::kernel::Host, &spec.resources, false).map_err(host("make the pod's cgroup"))?;
        Ok(Self { spec, cgroups, group, shared })
    }

    /// The group of one attempt of a container.
    pub fn group_of(&self, name: &str, attempt: u32) -> Group {
        self.cgroups.group(&format!("{}/{name}.{attempt}", self.spec.cgroup))
    }
}

/// One attempt of a container.
#[derive(Debug)]
pub struct Container {
    /// As asked.
    pub spec: ContainerSpec,
    /// Its cgroup.
    pub group: Group,
    /// Its first process; dropped at the end.
    pub pidfd: Option<OwnedFd>,
    /// The mounts of its first process, so that taking them apart does not hold up its end.
    pub mounts: Option<OwnedFd>,
    /// Its streams.
    pub streams: Streams,
    /// Its system call filter, for further processes.
    pub filters: Vec<Vec<Instruction>>,
    /// How it is; `None` while it is being started.
    pub state: Option<ContainerState>,
    /// When it was started.
    pub started: Timestamp,
    /// Its process id, zero while unknown.
    pub pid: u32,
}

/// A copy of the shim on its way to being a program: its words come through `words`.
#[derive(Debug)]
pub struct Begun {
    /// Process id of the copy.
    pub pid: u32,
    /// Handle of the copy.
    pub pidfd: OwnedFd,
    /// Where it speaks.
    pub words: UnixStream,
}

impl Container {
    /// Begins to start a container. What was made is taken away again on failure.
    ///
    /// # Errors
    /// What cannot be made before the copy takes over.
    pub fn begin(
        pod: &Pod,
        spec: ContainerSpec,
        filter: Option<OwnedFd>,
        alone: &OnlyThread,
        poller: &mut Poller,
    ) -> Result<(Self, Begun), RuntimeError> {
        let filters = filters(filter).map_err(host("read the system call filter"))?;
        let log = spec.log.as_ref().map(|log| Log::open(log).map_err(host(format!("open the log {}", log.path.display())))).transpose()?;
        let group = pod.group_of(&spec.name, spec.attempt);
        group.create(&sys::kernel::Host, &spec.resources, true).map_err(host("make the container's cgroup"))?;
        let begun = Self::begin_in(pod, &spec, &group, log, &filters, alone, poller);
        let (streams, begun) = begun.inspect_err(|_| drop(group.remove()))?;
        let container = Self { spec, group, pidfd: None, mounts: None, streams, filters, state: None, started: SystemClock.now(), pid: 0 };
        Ok((container, begun))
    }

    fn begin_in(
        pod: &Pod,
        spec: &ContainerSpec,
        group: &Group,
        log: Option<Log>,
        filters: &[Vec<Instruction>],
        alone: &OnlyThread,
        poller: &mut Poller,
    ) -> Result<(Streams, Begun), RuntimeError> {
        let (stdio, streams) = pipes(spec, log, poller).map_err(host("make the standard streams"))?;
        let own_ids = pod.shared.process_ids().is_none();
        let namespaces = Namespaces { mount: true, pid: own_ids };
        let begun = fork(group, namespaces, alone, |words| {
            child::first(Job { alone, pod: &pod.spec, spec, group, shared: &pod.shared, filters, stdio, out: words })
        });
        Ok((streams, begun.map_err(host("make the container's process"))?))
    }

    /// Begins to start a further process; returns also the engine's ends of its streams: input, output, errors.
    ///
    /// # Errors
    /// [`RuntimeError::NotRunning`], and what cannot be made.
    pub fn begin_exec(
        &self,
        pod: &Pod,
        exec: &crate::spec::ExecSpec,
        alone: &OnlyThread,
    ) -> Result<(Begun, [Option<OwnedFd>; 3]), RuntimeError> {
        let pidfd = self.pidfd.as_ref().ok_or_else(|| RuntimeError::NotRunning(self.spec.name.clone()))?;
        let make = || -> io::Result<_> {
            if exec.terminal {
                return Ok((Stdio::default(), [None, None, None]));
            }
            let (out, err) = (pipe()?, pipe()?);
            let (stdin, write) = if exec.stdin { pipe().map(|(read, write)| (Some(read), Some(write)))? } else { (None, None) };
            Ok((Stdio { stdin, stdout: Some(out.1), stderr: Some(err.1) }, [write, Some(out.0), Some(err.0)]))
        };
        let (stdio, ends) = make().map_err(host("make the standard streams"))?;
        let begun = fork(&self.group, Namespaces::default(), alone, |words| {
            child::further(
                Job {
                    alone,
                    pod: &pod.spec,
                    spec: &self.spec,
                    group: &self.group,
                    shared: &pod.shared,
                    filters: &self.filters,
                    stdio,
                    out: words,
                },
                pidfd,
                exec,
            )
        });
        Ok((begun.map_err(host("make the process"))?, ends))
    }

    /// It runs: its process is known, and its mounts are held on to.
    pub fn runs(&mut self, pid: u32, pidfd: OwnedFd) {
        self.mounts = sys::netns::open(std::path::Path::new(&format!("/proc/{pid}/ns/mnt"))).ok();
        (self.pid, self.pidfd) = (pid, Some(pidfd));
        self.state = Some(ContainerState::Running { pid, started: self.started });
    }
}

fn filters(filter: Option<OwnedFd>) -> io::Result<Vec<Vec<Instruction>>> {
    let Some(filter) = filter else { return Ok(Vec::new()) };
    let mut bytes = Vec::new();
    let mut at = 0;
    let mut part = [0; 16 << 10];
    // By position: the same open file is lent to several shims.
    loop {
        let count = rustix::io::pread(&filter, &mut part, at)?;
        if count == 0 {
            return seccomp::decode(&bytes);
        }
        bytes.extend_from_slice(part.get(..count).unwrap_or_default());
        at += count as u64;
    }
}

fn pipes(spec: &ContainerSpec, log: Option<Log>, poller: &mut Poller) -> io::Result<(Stdio, Streams)> {
    if spec.terminal {
        return Ok((Stdio::default(), Streams::new(None, log)));
    }
    let (stdin, write) = if spec.stdin { pipe().map(|(read, write)| (Some(read), Some(write)))? } else { (None, None) };
    let mut streams = Streams::new(write, log);
    let (out, err) = (pipe()?, pipe()?);
    streams.add(poller, Source::Stdout, out.0)?;
    streams.add(poller, Source::Stderr, err.0)?;
    Ok((Stdio { stdin, stdout: Some(out.1), stderr: Some(err.1) }, streams))
}

fn fork(
    group: &Group,
    namespaces: Namespaces,
    alone: &OnlyThread,
    copy: impl FnOnce(UnixStream) -> io::Result<Begun>,
) -> io::Result<Begun> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = group.unified().map(|path| rustix::fs::open(path, flags, rustix::fs::Mode::empty())).transpose()?;
    let (ours, theirs) = packets()?;
    match task::fork(alone, &Fork { namespaces, sibling: false, cgroup: folder.as_ref().map(AsFd::as_fd) })? {
        Forked::Child => {
            drop(ours);
            // Does not come back: it becomes another program, or ends.
            copy(theirs)
        }
        Forked::Parent { pid, pidfd } => {
            ours.set_nonblocking(true)?;
            Ok(Begun { pid, pidfd, words: ours })
        }
    }
}

// Words are packets, so that one is never half there.
fn packets() -> io::Result<(UnixStream, UnixStream)> {
    let kind = rustix::net::SocketType::SEQPACKET;
    let (ours, theirs) = rustix::net::socketpair(rustix::net::AddressFamily::UNIX, kind, rustix::net::SocketFlags::CLOEXEC, None)?;
    Ok((ours.into(), theirs.into()))
}
