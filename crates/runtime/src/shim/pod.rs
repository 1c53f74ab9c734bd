//! What the containers of a pod share: namespaces, kernel settings, `/dev/shm`, and process ids where asked.

use crate::protocol::host;
use crate::spec::{PodSpec, RuntimeError};
use rustix::thread::{LinkNameSpaceType, UnshareFlags};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use sys::mount::{self, Attributes};
use sys::task::{self, Fork, Forked, Namespaces, OnlyThread};

/// The shared parts.
#[derive(Debug)]
pub struct Shared {
    /// `/dev/shm`, attached nowhere, or inside `keeper`.
    shm: OwnedFd,
    /// `/proc` of the shared process ids.
    proc: Option<OwnedFd>,
    /// Process 1 of the shared process ids.
    init: Option<OwnedFd>,
    /// A mount namespace that holds `shm` and `proc` for kernels (before 6.15) that copy only what is attached.
    keeper: Option<OwnedFd>,
    /// Our own mount namespace, to come back to from the keeper's.
    own: OwnedFd,
}

impl Shared {
    /// Puts this process into the pod's namespaces, for all containers that it starts from here.
    ///
    /// # Errors
    /// [`RuntimeError::Host`] with what was being done.
    pub fn enter(spec: &PodSpec, alone: &OnlyThread) -> Result<Self, RuntimeError> {
        sys::netns::unshare(UnshareFlags::NEWIPC | UnshareFlags::NEWUTS).map_err(host("make the pod's namespaces"))?;
        if let Some(netns) = &spec.netns {
            let opened = sys::netns::open(netns).and_then(sys::netns::enter);
            opened.map_err(host(format!("enter the network namespace {}", netns.display())))?;
        }
        rustix::system::sethostname(spec.hostname.as_bytes())
            .map_err(|error| host(format!("set the host name `{}`", spec.hostname))(error.into()))?;
        settings(spec)?;
        let shm = shm(spec.shm_bytes).map_err(host("make the pod's /dev/shm"))?;
        let own = sys::netns::open(Path::new("/proc/self/ns/mnt")).map_err(host("open the mount namespace"))?;
        let mut shared = Self { shm, proc: None, init: None, keeper: None, own };
        let copies = mount::copy_fd(&shared.shm, false).is_ok();
        if spec.share_processes || !copies {
            shared.keep(spec, alone).map_err(host("make the pod's first process"))?;
        }
        Ok(shared)
    }

    /// A copy of the pod's `/dev/shm`. Called by a process that is on its way to be a container.
    ///
    /// # Errors
    /// What the system says.
    pub fn shm(&self) -> io::Result<OwnedFd> {
        self.copy(&self.shm)
    }

    /// A copy of `/proc` of the shared process ids; `None` when every container has its own.
    ///
    /// # Errors
    /// What the system says.
    pub fn proc(&self) -> io::Result<Option<OwnedFd>> {
        self.proc.as_ref().map(|proc| self.copy(proc)).transpose()
    }

    /// Whose process ids a container's processes get, when they are shared.
    pub fn process_ids(&self) -> Option<&OwnedFd> {
        self.init.as_ref()
    }

    fn copy(&self, kept: &OwnedFd) -> io::Result<OwnedFd> {
        let Some(keeper) = &self.keeper else { return mount::copy_fd(kept, false) };
        // A container-to-be has a mount namespace of its own, made after `own` was opened: it goes back to that one.
        let back = sys::netns::open(Path::new("/proc/self/ns/mnt")).or_else(|_| sys::fds::duplicate(&self.own))?;
        enter_mounts(keeper)?;
        let copy = mount::copy_fd(kept, false);
        enter_mounts(&back)?;
        copy
    }

    // A process in an empty root: it is process 1 where process ids are shared, or gone as soon as its mounts are held.
    fn keep(&mut self, spec: &PodSpec, alone: &OnlyThread) -> io::Result<()> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        let pid = spec.share_processes;
        let Forked::Parent { pid: id, pidfd } =
            task::fork(alone, &Fork { namespaces: Namespaces { mount: true, pid }, ..Fork::default() })?
        else {
            let done = keeper(spec, &theirs);
            drop((ours, theirs));
            if done.is_ok() && pid { pause() } else { task::exit_now(i32::from(done.is_err())) }
        };
        drop(theirs);
        let (mut byte, mut fds) = ([0; 1], Vec::new());
        let got = sys::socket::receive(&ours, &mut byte, &mut fds)?;
        let mut fds = fds.into_iter();
        let (Some(shm), Some(namespace)) = (fds.next(), fds.next().filter(|_| got == 1)) else {
            return Err(io::Error::other(format!("process {id} could not prepare its root")));
        };
        (self.shm, self.proc, self.keeper) = (shm, fds.next(), Some(namespace));
        self.init = pid.then_some(pidfd);
        Ok(())
    }
}

fn keeper(spec: &PodSpec, out: &std::os::unix::net::UnixStream) -> io::Result<()> {
    task::die_with_parent()?;
    let namespace = sys::netns::open(Path::new("/proc/self/ns/mnt"))?;
    let proc = if spec.share_processes { Some(mount::new("proc", &[], proc_attributes())?) } else { None };
    mount::stop_spreading(false)?;
    let root = mount::new("tmpfs", &[("mode", Some("755")), ("size", Some("4096"))], Attributes::default())?;
    let onto = sys::Root::open(&spec.folder)?;
    mount::attach(&root, &onto)?;
    let root = sys::Root::open(&spec.folder)?;
    let place =
        |name: &str, what: &OwnedFd| root.make_folders(name).and_then(|onto| mount::attach(what, onto)).and_then(|()| root.at(name));
    let shm = place("shm", &shm(spec.shm_bytes)?)?;
    let proc = proc.map(|proc| place("proc", &proc)).transpose()?;
    mount::become_root(root.as_fd())?;
    let fds: Vec<_> = [Some(shm.as_fd()), Some(namespace.as_fd()), proc.as_ref().map(AsFd::as_fd)].into_iter().flatten().collect();
    sys::socket::send(out, &[1], &fds).map(drop)
}

// Process 1 of shared process ids: takes in orphans, holds nothing, may do nothing.
fn pause() -> ! {
    let signals = task::signal_fd(&[17]);
    let _ = sys::creds::bound_capabilities(0);
    let _ = sys::creds::become_user(65_535, 65_535, &[]);
    let _ = sys::creds::set_capabilities(0);
    let _ = sys::creds::no_new_privileges();
    let _ = task::die_with_parent();
    let Ok(signals) = signals else { task::exit_now(1) };
    sys::fds::close_all_but(&signals);
    let mut detail = [0; 128];
    loop {
        let _ = rustix::event::poll(&mut [rustix::event::PollFd::new(&signals, rustix::event::PollFlags::IN)], None);
        let _ = rustix::io::read(&signals, &mut detail);
        while let Ok(Some(_)) = task::reap() {}
    }
}

pub(super) fn proc_attributes() -> Attributes {
    Attributes { no_devices: true, no_exec: true, no_set_id: true, read_only: false }
}

fn shm(bytes: u64) -> io::Result<OwnedFd> {
    let size = bytes.to_string();
    mount::new("tmpfs", &[("mode", Some("1777")), ("size", Some(&size)), ("source", Some("shm"))], proc_attributes())
}

fn enter_mounts(namespace: &OwnedFd) -> io::Result<()> {
    Ok(rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Mount))?)
}

// Written by the host's view of /proc, before anything of the pod runs: nothing in the way can be swapped.
fn settings(spec: &PodSpec) -> Result<(), RuntimeError> {
    if spec.sysctls.is_empty() {
        return Ok(());
    }
    let proc = sys::proc::Proc::open().map_err(host("open /proc"))?;
    for (name, value) in &spec.sysctls {
        let known = name.starts_with("net.") && spec.netns.is_some()
            || ["kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue."].iter().any(|start| name.starts_with(start));
        if !known || name.contains("..") || name.starts_with('.') {
            return Err(RuntimeError::Config(format!("the setting `{name}` is not the pod's own but the whole machine's")));
        }
        let below = format!("sys/{}", if name.contains('/') { name.clone() } else { name.replace('.', "/") });
        proc.write(&below, value.as_bytes()).map_err(|error| RuntimeError::Config(format!("cannot set `{name}` to `{value}`: {error}")))?;
    }
    Ok(())
}
