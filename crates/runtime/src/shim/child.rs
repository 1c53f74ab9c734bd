//! The way of a copy of the shim to becoming a container's program. Never returns; what goes wrong is told through a socket.

use super::env::{self, Surroundings};
use super::pod::Shared;
use super::rootfs::{self, Plan, Terminal};
use crate::cgroup::Group;
use crate::protocol::host;
use crate::spec::{ContainerSpec, ExecSpec, PodSpec, Privileges, RuntimeError};
use crate::users::{self, Identity};
use crate::weak::{self, Weakness};
use rustix::fs::OFlags;
use rustix::process::Resource;
use rustix::thread::{ThreadNameSpaceType, UnshareFlags};
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use sys::seccomp::Instruction;
use sys::task::{self, Fork, Forked, OnlyThread};
use sys::{Root, creds, fds};

/// Open files that a program may have, where the host lets it.
const OPEN_FILES: u64 = 1_048_576;

/// What the copy tells the shim; the end without a word is success.
#[derive(Debug, Serialize, Deserialize)]
pub enum Word {
    /// The program's process id on the host, where it is not the copy itself.
    Pid(u32),
    /// The watcher's side of the terminal comes with this.
    Terminal,
    /// It failed.
    Failed(RuntimeError),
}

/// The program's ends of its standard streams; `None` is `/dev/null`, or the terminal.
#[derive(Debug, Default)]
pub struct Stdio {
    /// Standard input.
    pub stdin: Option<OwnedFd>,
    /// Standard output.
    pub stdout: Option<OwnedFd>,
    /// Standard error.
    pub stderr: Option<OwnedFd>,
}

/// Everything the copy needs, made before it.
pub struct Job<'a> {
    /// Proof for making a further copy.
    pub alone: &'a OnlyThread,
    /// The pod.
    pub pod: &'a PodSpec,
    /// The container.
    pub spec: &'a ContainerSpec,
    /// Its cgroup.
    pub group: &'a Group,
    /// What it shares with the pod's others.
    pub shared: &'a Shared,
    /// Its filter of system calls.
    pub filters: &'a [Vec<Instruction>],
    /// Its streams.
    pub stdio: Stdio,
    /// Where words go.
    pub out: UnixStream,
}

/// Becomes the first process of a container.
pub fn first(job: Job<'_>) -> ! {
    let error = become_first(&job);
    fail(&job.out, error)
}

/// Becomes a further process of the container whose first process is `pidfd`.
pub fn further(job: Job<'_>, pidfd: &OwnedFd, exec: &ExecSpec) -> ! {
    let error = become_further(&job, pidfd, exec);
    fail(&job.out, error)
}

fn fail(out: &UnixStream, error: RuntimeError) -> ! {
    say(out, &Word::Failed(error), &[]);
    task::exit_now(1)
}

fn say(out: &UnixStream, word: &Word, handles: &[&OwnedFd]) {
    let handles: Vec<_> = handles.iter().map(AsFd::as_fd).collect();
    if let Ok(text) = serde_json::to_vec(word) {
        // A word is one packet. When nobody listens any more, the shim is gone, and we with it.
        let _ = sys::socket::send(out, &text, &handles);
    }
}

// "Returns" only an error: the good end is another program.
fn become_first(job: &Job<'_>) -> RuntimeError {
    match prepare_first(job) {
        Ok((args, env)) => go(job, job.spec.terminal, &args, &env),
        Err(error) => error,
    }
}

type Program = (Vec<String>, Vec<String>);

fn prepare_first(job: &Job<'_>) -> Result<Program, RuntimeError> {
    join(job)?;
    let plan = Plan { spec: job.spec, group: job.group, shared: job.shared };
    let leaked = if weak::is(Weakness::LeakedFiles) { Some(leak()) } else { None };
    let terminal = rootfs::enter(&plan)?;
    let (identity, home) = settle(job, terminal.as_ref())?;
    drop(leaked);
    if let Some(ids) = job.shared.process_ids() {
        // Into the shared process ids at the very end: until then the others of the pod cannot see this process.
        enter_process_ids(job, ids)?;
    }
    lose_privileges(job, &identity)?;
    let around = Surroundings { home: &home, hostname: &job.pod.hostname, terminal: job.spec.terminal };
    Ok((job.spec.args.clone(), env::complete(&[&job.spec.env], &around)))
}

fn become_further(job: &Job<'_>, pidfd: &OwnedFd, exec: &ExecSpec) -> RuntimeError {
    match prepare_further(job, pidfd, exec) {
        Ok((args, env)) => go(job, exec.terminal, &args, &env),
        Err(error) => error,
    }
}

fn prepare_further(job: &Job<'_>, pidfd: &OwnedFd, exec: &ExecSpec) -> Result<Program, RuntimeError> {
    join(job)?;
    let spaces = ThreadNameSpaceType::MOUNT | ThreadNameSpaceType::CONTROL_GROUP | ThreadNameSpaceType::PROCESS_ID;
    let entered = rustix::thread::move_into_thread_name_spaces(pidfd.as_fd(), spaces);
    entered.map_err(|error| host(format!("enter the container `{}`", job.spec.name))(error.into()))?;
    let terminal = exec.terminal.then(|| terminal(Path::new("/dev/pts"))).transpose()?;
    let (identity, home) = settle(job, terminal.as_ref())?;
    // The process ids of the container are for children only: privileges go first, then the copy that can be seen inside.
    lose_privileges(job, &identity)?;
    copy_and_leave(job)?;
    let around = Surroundings { home: &home, hostname: &job.pod.hostname, terminal: exec.terminal };
    Ok((exec.args.clone(), env::complete(&[&job.spec.env, &exec.env], &around)))
}

fn join(job: &Job<'_>) -> Result<(), RuntimeError> {
    if job.group.unified().is_none() {
        job.group.join().map_err(host("join the cgroup"))?;
    }
    // Early: the filter lets nobody do this later.
    task::new_keyring();
    // `self` is a link, and this process's own idea of its number is the container's.
    let own = std::fs::read_link("/proc/self").map_err(host("read /proc/self"))?;
    let file = format!("{}/oom_score_adj", own.display());
    match sys::proc::Proc::open().and_then(|proc| proc.write(&file, job.spec.resources.oom_score.to_string().as_bytes())) {
        // Lowering is not for everybody; the container runs all the same.
        Err(error) if error.kind() != std::io::ErrorKind::PermissionDenied => return Err(host("set the score for lack of memory")(error)),
        _ => {}
    }
    sys::netns::unshare(UnshareFlags::NEWCGROUP).map_err(host("make a cgroup namespace"))
}

fn terminal(devpts: &Path) -> Result<Terminal, RuntimeError> {
    let open = || sys::pty::open_pair(Root::open(Path::new("/"))?.at(devpts)?);
    open().map_err(host("open a terminal"))
}

/// User, working directory and streams, inside the root.
fn settle(job: &Job<'_>, terminal: Option<&Terminal>) -> Result<(Identity, String), RuntimeError> {
    let root = Root::open(Path::new("/")).map_err(host("open the root"))?;
    let identity = users::look_up(&root, &job.spec.user)?;
    if job.spec.privileges.must_not_be_root && identity.uid == 0 {
        return Err(RuntimeError::Config("it must not run as root, but its user is 0".to_owned()));
    }
    working_dir(&root, &job.spec.working_dir)?;
    if let Some((outer, _)) = terminal {
        say(&job.out, &Word::Terminal, &[outer]);
    }
    streams(job, &root, terminal.map(|(_, inner)| inner), &identity).map_err(host("set up the standard streams"))?;
    let home = identity.home.clone();
    Ok((identity, home))
}

fn streams(job: &Job<'_>, root: &Root, terminal: Option<&OwnedFd>, identity: &Identity) -> std::io::Result<()> {
    let null = sys::openat2_in_root(root, "/dev/null", OFlags::RDWR | OFlags::NOCTTY, rustix::fs::Mode::empty());
    for (number, own) in [&job.stdio.stdin, &job.stdio.stdout, &job.stdio.stderr].into_iter().enumerate() {
        let number = u32::try_from(number).unwrap_or(0);
        let source = match (terminal, own, &null) {
            (Some(terminal), ..) => terminal,
            (None, Some(own), _) => own,
            (None, None, Ok(null)) => null,
            (None, None, Err(error)) => return Err(std::io::Error::new(error.kind(), format!("/dev/null: {error}"))),
        };
        // So that the user can open /dev/stdout again.
        if terminal.is_some() || own.is_some() {
            fds::give_to(source, identity.uid, None)?;
        }
        fds::redirect(source, number)?;
    }
    Ok(())
}

fn working_dir(root: &Root, path: &str) -> Result<(), RuntimeError> {
    let path = if path.is_empty() { "/" } else { path };
    let fail = |error: std::io::Error| RuntimeError::Config(format!("the working directory `{path}` cannot be used: {error}"));
    if weak::is(Weakness::LeakedFiles) {
        return std::env::set_current_dir(path).map_err(fail);
    }
    let folder = root.make_folders(path).map_err(fail)?;
    rustix::process::fchdir(&folder).map_err(|error| fail(error.into()))?;
    // A folder outside the root has no path that can be seen from here.
    let seen = rustix::process::getcwd(Vec::new()).map_err(|error| fail(error.into()))?;
    if !seen.to_bytes().starts_with(b"/") {
        return Err(RuntimeError::Config(format!("the working directory `{path}` is not inside the container")));
    }
    Ok(())
}

// CVE-2024-21626 as it was: a folder of the host that stays open.
fn leak() -> Option<OwnedFd> {
    let folder = std::fs::File::open("/").ok()?;
    fds::redirect_to(&folder, 60).ok()?;
    Some(folder.into())
}

fn enter_process_ids(job: &Job<'_>, ids: &OwnedFd) -> Result<(), RuntimeError> {
    let entered = rustix::thread::move_into_thread_name_spaces(ids.as_fd(), ThreadNameSpaceType::PROCESS_ID);
    entered.map_err(|error| host("enter the pod's process ids")(error.into()))?;
    copy_and_leave(job)
}

// The copy is the shim's own child, and inside the process ids that were entered; this process ends.
fn copy_and_leave(job: &Job<'_>) -> Result<(), RuntimeError> {
    match task::fork(job.alone, &Fork { sibling: true, ..Fork::default() }).map_err(host("make the process"))? {
        Forked::Child => Ok(()),
        Forked::Parent { pid, .. } => {
            say(&job.out, &Word::Pid(pid), &[]);
            task::exit_now(0)
        }
    }
}

fn lose_privileges(job: &Job<'_>, identity: &Identity) -> Result<(), RuntimeError> {
    let privileges = &job.spec.privileges;
    let kept = capabilities(privileges)?;
    let lose = || {
        creds::limit(Resource::Nofile, OPEN_FILES, OPEN_FILES)?;
        creds::bound_capabilities(kept)?;
        if escalates(privileges) {
            // Needs a right that is lost below. The filter lets pass what comes after.
            install(job)?;
        } else {
            creds::no_new_privileges()?;
        }
        creds::become_user(identity.uid, identity.gid, &identity.groups)?;
        creds::set_capabilities(if identity.uid == 0 { kept } else { 0 })
    };
    lose().map_err(host("give up privileges"))
}

/// The capabilities that a container has, as bits.
pub fn capabilities(privileges: &Privileges) -> Result<u64, RuntimeError> {
    let own = creds::own_capabilities().map_err(host("read the own capabilities"))?;
    if privileges.privileged {
        return Ok(own);
    }
    privileges.capabilities.iter().try_fold(0, |bits, name| match creds::capability(name) {
        Some(bit) if own & bit == bit => Ok(bits | bit),
        Some(_) => Err(RuntimeError::Config(format!("the capability `{name}` cannot be given: this machine does not give it to Wharf"))),
        None => Err(RuntimeError::Config(format!("there is no capability `{name}`"))),
    })
}

fn escalates(privileges: &Privileges) -> bool {
    privileges.privileged || privileges.allow_escalation
}

fn install(job: &Job<'_>) -> std::io::Result<()> {
    job.filters.iter().try_for_each(|filter| sys::seccomp::install(filter))
}

fn go(job: &Job<'_>, terminal: bool, args: &[String], env: &[String]) -> RuntimeError {
    let last = || {
        // Here and not sooner: were an earlier copy to lead the session, its end would hang up the terminal.
        sys::pty::new_session()?;
        if terminal {
            sys::pty::take_control(std::io::stdin())?;
        }
        task::die_with_parent()?;
        task::reset_signals();
        if !weak::is(Weakness::LeakedFiles) {
            fds::close_on_exec_from(3)?;
        }
        if escalates(&job.spec.privileges) { Ok(()) } else { install(job) }
    };
    match last() {
        Ok(()) => env::exec(args, env),
        Err(error) => host("start the program")(error),
    }
}
