//! Processes: clone3, exec, wait, signals. For programs of one thread.

use crate::check;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions};
use std::ffi::CString;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Proof that this process had one thread when asked: only then may it be copied by [`fork`], as another thread could
/// hold a lock (of the allocator, say) that nobody would release in the copy.
#[derive(Debug)]
pub struct OnlyThread(PhantomData<*const ()>);

impl OnlyThread {
    /// Looks at `/proc/self/task`.
    ///
    /// # Errors
    /// When there are more threads, or `/proc` cannot be read.
    pub fn prove() -> io::Result<Self> {
        match std::fs::read_dir("/proc/self/task")?.count() {
            1 => Ok(Self(PhantomData)),
            more => Err(io::Error::other(format!("{more} threads where one is needed"))),
        }
    }
}

/// How a copy of this process differs from it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fork<'a> {
    /// New namespaces: `CLONE_NEW*`.
    pub namespaces: Namespaces,
    /// A sibling instead of a child: its end is told to this process's parent.
    pub sibling: bool,
    /// Starts in this cgroup (v2 folder).
    pub cgroup: Option<BorrowedFd<'a>>,
}

/// Namespaces that a copy gets of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Namespaces {
    /// Mounts.
    pub mount: bool,
    /// Process ids; the copy is process 1 of it.
    pub pid: bool,
}

/// Who returns from [`fork`].
#[derive(Debug)]
pub enum Forked {
    /// The copy.
    Child,
    /// The one that called.
    Parent {
        /// The copy's id as seen by the caller.
        pid: u32,
        /// A handle on it.
        pidfd: OwnedFd,
    },
}

/// Copies this process (clone3).
///
/// # Errors
/// What the system says: `EPERM`, `EAGAIN` at a process limit, `EBUSY` or `EOPNOTSUPP` for a cgroup that takes no processes.
pub fn fork(_alone: &OnlyThread, how: &Fork<'_>) -> io::Result<Forked> {
    let mut pidfd: RawFd = -1;
    let mut flags = libc::CLONE_PIDFD as u64;
    let mut add = |wanted: bool, flag: libc::c_int| flags |= if wanted { flag as u64 } else { 0 };
    add(how.namespaces.mount, libc::CLONE_NEWNS);
    add(how.namespaces.pid, libc::CLONE_NEWPID);
    add(how.sibling, libc::CLONE_PARENT);
    if how.cgroup.is_some() {
        flags |= 0x2_0000_0000; // CLONE_INTO_CGROUP
    }
    let args = libc::clone_args {
        flags,
        pidfd: (&raw mut pidfd) as u64,
        child_tid: 0,
        parent_tid: 0,
        // With CLONE_PARENT the signal is the caller's own, and must not be given.
        exit_signal: if how.sibling { 0 } else { libc::SIGCHLD as u64 },
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: how.cgroup.map_or(0, |fd| u64::from(fd.as_raw_fd().cast_unsigned())),
    };
    // SAFETY: `args` and `pidfd` outlive the call; no memory is shared with the copy and its stack is a copy of ours;
    // the token proves that no other thread held a lock.
    let answer = match check(unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args)) }) {
        // A filter of system calls hides clone3; the older call can do the plain case.
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) && how.cgroup.is_none() => {
            let flags = flags | args.exit_signal;
            // SAFETY: as above; a null stack means a copy of ours, and the handle is written to `pidfd`.
            check(unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, &raw mut pidfd, 0_usize, 0_usize) })?
        }
        other => other?,
    };
    if answer == 0 {
        return Ok(Forked::Child);
    }
    // SAFETY: the kernel has just made this descriptor for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Forked::Parent { pid: u32::try_from(answer).unwrap_or(0), pidfd })
}

/// Becomes another program. Returns only when that failed.
pub fn exec(program: &CString, args: &[CString], env: &[CString]) -> io::Error {
    let list =
        |words: &[CString]| -> Vec<*const libc::c_char> { words.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect() };
    let (args, env) = (list(args), list(env));
    // SAFETY: all three point to strings that end in zero; the lists end in a null pointer and outlive the call.
    unsafe { libc::execve(program.as_ptr(), args.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// Ends this process at once: no destructor, no exit handler, no flush.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: never returns and touches no memory of ours.
    unsafe { libc::_exit(code) }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its id.
    pub pid: u32,
    /// Exit code, or 128 + the signal.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

/// Takes one ended child; `None` when none has ended or there is none.
///
/// # Errors
/// What the system says otherwise.
pub fn reap() -> io::Result<Option<Ended>> {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) => {
                let signal = status.terminating_signal();
                let code = signal.map_or_else(|| status.exit_status().unwrap_or(-1), |signal| 128 + signal);
                return Ok(Some(Ended { pid: pid.as_raw_nonzero().get().cast_unsigned(), code, signal }));
            }
            Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(None),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A handle on a process, which goes on naming it after its end.
///
/// # Errors
/// `ESRCH` when there is no such process.
pub fn pidfd_open(pid: u32) -> io::Result<OwnedFd> {
    Ok(rustix::process::pidfd_open(pid_of(pid)?, PidfdFlags::empty())?)
}

/// Sends a signal to the very process of a handle; 0 only asks whether it is there.
///
/// # Errors
/// `ESRCH` when it has ended, `EINVAL` for no signal.
pub fn pidfd_signal(pidfd: impl AsFd, signal: i32) -> io::Result<()> {
    // SAFETY: plain integers and a null pointer for the optional details.
    let answer = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_fd().as_raw_fd(), signal, std::ptr::null::<u8>(), 0) };
    check(answer).map(drop)
}

/// Sends a signal by process id. The id may be another's by then: only for processes found in a cgroup a moment ago.
///
/// # Errors
/// `ESRCH` when it has ended, `EINVAL` for no signal.
pub fn signal(pid: u32, signal: i32) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).ok().filter(|&pid| pid > 1).ok_or(rustix::io::Errno::SRCH)?;
    // SAFETY: plain integers; the id is above 1, so neither a group nor init.
    check(unsafe { libc::kill(pid, signal) }.into()).map(drop)
}

/// Takes the status of a child by its handle, waiting for its end.
///
/// # Errors
/// `ECHILD` when it is not a child of this process.
pub fn wait(pidfd: impl AsFd) -> io::Result<()> {
    let id = rustix::process::WaitId::PidFd(pidfd.as_fd());
    rustix::process::waitid(id, rustix::process::WaitIdOptions::EXITED)?;
    Ok(())
}

/// A descriptor that becomes readable when one of `signals` comes; they are blocked for this thread.
///
/// # Errors
/// What the system says.
pub fn signal_fd(signals: &[i32]) -> io::Result<OwnedFd> {
    let set = mask(signals);
    // SAFETY: `set` was made by sigemptyset/sigaddset and outlives both calls.
    unsafe {
        check(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()).into())?;
        let fd = check(libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK).into())?;
        Ok(OwnedFd::from_raw_fd(RawFd::try_from(fd).unwrap_or(-1)))
    }
}

/// Gives every signal its default meaning again and blocks none: what a program expects at its start.
pub fn reset_signals() {
    let none = mask(&[]);
    // SAFETY: SIG_DFL is a valid handler; `none` is a valid set. Failure means a number that is no signal, which is passed over.
    unsafe {
        for signal in 1..=64 {
            if signal != libc::SIGKILL && signal != libc::SIGSTOP {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
}

/// Makes this process ignore a signal.
pub fn ignore_signal(signal: i32) {
    // SAFETY: SIG_IGN is a valid handler; a wrong number changes nothing.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Asks for a signal when the thread that made this process ends. Gone again after a change of credentials.
///
/// # Errors
/// What the system says.
pub fn die_with_parent() -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?)
}

/// Whether others of the same user may look into this process (`/proc/PID/exe`, ptrace, core files).
///
/// # Errors
/// What the system says.
pub fn set_dumpable(dumpable: bool) -> io::Result<()> {
    use rustix::process::DumpableBehavior::{Dumpable, NotDumpable};
    Ok(rustix::process::set_dumpable_behavior(if dumpable { Dumpable } else { NotDumpable })?)
}

/// Takes in the orphans among its descendants, instead of process 1.
///
/// # Errors
/// What the system says.
pub fn become_subreaper() -> io::Result<()> {
    // SAFETY: plain integers.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }.into()).map(drop)
}

/// Leaves the session keyring that was inherited for an empty one; kernels without keys have nothing to leave.
pub fn new_keyring() {
    const KEYCTL_JOIN_SESSION_KEYRING: libc::c_int = 1;
    // SAFETY: plain integers and a null pointer, which asks for a keyring without a name.
    unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) };
}

fn mask(signals: &[i32]) -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set; sigaddset passes over wrong numbers.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for &signal in signals {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}

fn pid_of(pid: u32) -> io::Result<Pid> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    Ok(pid.ok_or(rustix::io::Errno::SRCH)?)
}
