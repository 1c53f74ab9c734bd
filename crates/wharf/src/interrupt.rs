//! Ctrl-C: what runs for us is ended, one sentence says what stands, and the process ends. All that is written is whole at every
//! moment, so nothing is to be undone; the next run goes on from it.

use crate::output::Output;
use crate::sandbox::Sandbox;
use base::{Problem, ProblemKind};
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process, test_kill_process_group};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

static SANDBOXES: Mutex<Vec<Weak<Sandbox>>> = Mutex::new(Vec::new());
static CHILDREN: Mutex<Vec<Target>> = Mutex::new(Vec::new());
static DOING: Mutex<String> = Mutex::new(String::new());
static LISTENING: OnceLock<()> = OnceLock::new();
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How long a child has to end by itself.
const POLITE: Duration = Duration::from_secs(2);
/// How long the kernel has to end what was killed.
const KILLED: Duration = Duration::from_secs(1);
/// How long ending everything may take.
const WHOLE: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Group(Pid),
    Process(Pid),
}

impl Target {
    fn send(self, signal: Signal) {
        let _ = match self {
            Self::Group(group) => kill_process_group(group, signal),
            Self::Process(process) => kill_process(process, signal),
        };
    }

    fn lives(self) -> bool {
        match self {
            Self::Group(group) => test_kill_process_group(group).is_ok(),
            Self::Process(process) => test_kill_process(process).is_ok(),
        }
    }
}

/// How a child is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With a process group of its own, so that all that it starts ends with it. It cannot read the terminal.
    Group,
    /// In our group, with the terminal.
    Terminal,
}

/// A child that an interrupt ends.
pub struct Ours {
    /// The child.
    pub child: Child,
    target: Option<Target>,
}

/// Starts a child that an interrupt ends.
///
/// # Errors
/// When it cannot be started.
pub fn spawn(command: &mut Command, kind: Kind) -> std::io::Result<Ours> {
    // Who holds the list either registers before it is read, or sees that nothing may begin any more.
    let mut children = CHILDREN.lock().unwrap_or_else(PoisonError::into_inner);
    if interrupted() {
        return Err(std::io::Error::from(std::io::ErrorKind::Interrupted));
    }
    if kind == Kind::Group {
        std::os::unix::process::CommandExt::process_group(command, 0);
    }
    let child = command.spawn()?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let target = pid.map(|pid| if kind == Kind::Group { Target::Group(pid) } else { Target::Process(pid) });
    children.extend(target);
    Ok(Ours { child, target })
}

impl Drop for Ours {
    fn drop(&mut self) {
        CHILDREN.lock().unwrap_or_else(PoisonError::into_inner).retain(|child| Some(*child) != self.target);
    }
}

/// Whether the user wants the end.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// The problem of what cannot begin any more.
pub fn problem() -> Problem {
    Problem::new(ProblemKind::Interrupted, "interrupted")
}

/// Says what an interrupt from now on would stop, and what stands then: `in test: nothing was deployed`.
pub fn doing(what: impl Into<String>) {
    *DOING.lock().unwrap_or_else(PoisonError::into_inner) = what.into();
}

/// Waits for the end that an interrupt brings, when there was one: what failed because of it is no failure of its own.
pub fn give_way() {
    while interrupted() {
        std::thread::park();
    }
}

/// Ends the sandbox's containers when the user interrupts, for as long as the answer lives.
pub fn cleanup(sandbox: &Arc<Sandbox>) -> Guard {
    let mut sandboxes = SANDBOXES.lock().unwrap_or_else(PoisonError::into_inner);
    sandboxes.retain(|known| known.strong_count() > 0);
    sandboxes.push(Arc::downgrade(sandbox));
    Guard
}

/// See [`cleanup`].
pub struct Guard;

/// Listens for interrupts from now on: the first ends what runs for us and the process, with code 130; the second at once.
pub fn listen(output: &Output) {
    LISTENING.get_or_init(|| {
        let output = output.clone();
        let (ready, listening) = std::sync::mpsc::channel();
        let _ = std::thread::Builder::new().name("interrupt".to_owned()).stack_size(256 << 10).spawn(move || wait(&output, &ready));
        // An interrupt that comes early is heard, too.
        let _ = listening.recv();
    });
}

/// Comes with the first interrupt, for what ends in good order by itself; the second ends the process at once.
pub async fn first() {
    if tokio::signal::ctrl_c().await.is_ok() {
        tokio::spawn(async {
            let _ = tokio::signal::ctrl_c().await;
            std::process::exit(i32::from(ProblemKind::Interrupted.exit_code()));
        });
    }
}

fn wait(output: &Output, ready: &std::sync::mpsc::Sender<()>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()));
        let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = signals else { return };
        let _ = ready.send(());
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {}, _ = hangup.recv() => {} }
        INTERRUPTED.store(true, Ordering::SeqCst);
        tell(output);
        let ended = tokio::time::timeout(WHOLE, tokio::task::spawn_blocking(end_all));
        tokio::select! { _ = ended => {}, _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        kill(&children());
        std::process::exit(i32::from(ProblemKind::Interrupted.exit_code()));
    });
}

fn tell(output: &Output) {
    let doing = DOING.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if output.is_live() {
        // The terminal has shown `^C` on the line.
        eprintln!();
    }
    let mut problem = problem();
    if !doing.is_empty() {
        problem.message = format!("interrupted {doing}");
    }
    output.problem(&problem);
}

fn children() -> Vec<Target> {
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn end_all() {
    let begun = Instant::now();
    let children = children();
    children.iter().for_each(|child| child.send(Signal::TERM));
    let sandboxes: Vec<_> = SANDBOXES.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect();
    sandboxes.iter().for_each(|sandbox| sandbox.close());
    until_gone(&children, begun + POLITE);
    kill(&children);
}

/// Whoever called us may look for what is left as soon as we are gone: the kernel takes a moment to end what is killed.
fn kill(children: &[Target]) {
    children.iter().for_each(|child| child.send(Signal::KILL));
    until_gone(children, Instant::now() + KILLED);
}

fn until_gone(children: &[Target], until: Instant) {
    while Instant::now() < until && children.iter().any(|child| child.lives()) {
        std::thread::sleep(Duration::from_millis(5));
    }
}
