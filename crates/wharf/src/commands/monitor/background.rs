//! One monitor for a project and environment of a home: a lock that ends with its process, and a file that says which it is.

use crate::context::Context;
use crate::notify::file_name;
use crate::project::Project;
use base::files::{self, FileError};
use base::{Problem, ProblemKind};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a monitor may take to end.
const ENDING: Duration = Duration::from_secs(15);

/// A running monitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Whereabouts {
    pub(super) pid: u32,
    /// The project's folder.
    folder: PathBuf,
    /// What was overridden.
    set: Vec<String>,
}

impl Whereabouts {
    /// This process with what it was asked for.
    fn of(context: &Context, project: &Project) -> Self {
        Self { pid: std::process::id(), folder: project.folder.clone(), set: context.globals.set.clone() }
    }

    /// What differs from what is asked for now; it is not taken up by a process that runs already.
    fn refuses(&self, asked: &Self) -> Option<Problem> {
        let sets =
            |of: &Self| if of.set.is_empty() { "without any --set".to_owned() } else { format!("with --set {}", of.set.join(" --set ")) };
        let other = match (self.folder != asked.folder, self.set != asked.set) {
            (false, false) => return None,
            (true, _) => format!("the one in {}", self.folder.display()),
            (false, true) => format!("it {}", sets(self)),
        };
        let message = format!("process {} watches {other} already, not as asked for now", self.pid);
        Some(Problem::new(ProblemKind::Target, message).hint("`wharf monitor --stop` ends it, then begin again"))
    }
}

/// Where the lock and the file are.
pub(super) struct Place {
    folder: PathBuf,
    name: String,
}

/// Held while this process is the monitor.
pub(super) struct Held {
    _lock: File,
}

impl Place {
    pub(super) fn of(context: &Context, project: &str) -> Self {
        let env = file_name(&context.globals.env);
        Self { folder: context.home.join("notices").join("monitors"), name: format!("{project}.{env}") }
    }

    fn path(&self, end: &str) -> PathBuf {
        self.folder.join(format!("{}.{end}", self.name))
    }

    fn lock_file(&self) -> Result<File, Problem> {
        let host = |error: FileError| Problem::new(ProblemKind::Host, error.to_string());
        files::make_folder(&self.folder, 0o700).map_err(host)?;
        let path = self.path("lock");
        let opened = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
        opened.map_err(|error| host(FileError::new("open", &path, error)))
    }

    /// Makes this process the monitor.
    pub(super) fn take(&self, context: &Context, project: &Project) -> Result<Held, Problem> {
        let file = self.lock_file()?;
        // Who asks whether the lock is held has it for a moment.
        let free = (0..20).any(|turn| {
            std::thread::sleep(Duration::from_millis(if turn == 0 { 0 } else { 15 }));
            file.try_lock().is_ok()
        });
        if !free {
            let who = self.read().map_or_else(String::new, |other| format!(" (process {})", other.pid));
            return Err(
                Problem::new(ProblemKind::Target, format!("a monitor watches this already{who}")).hint("`wharf monitor --stop` ends it")
            );
        }
        let text = serde_json::to_vec(&Whereabouts::of(context, project)).unwrap_or_default();
        let written = files::write_atomically(&self.path("json"), &text, 0o600);
        written.map_err(|error| Problem::new(ProblemKind::Host, error.to_string()))?;
        Ok(Held { _lock: file })
    }

    fn read(&self) -> Option<Whereabouts> {
        serde_json::from_slice(&files::read_if_exists(&self.path("json")).ok()??).ok()
    }

    /// The monitor that runs: the lock is held, so the file is its own.
    pub(super) fn running(&self) -> Option<Whereabouts> {
        let lock = OpenOptions::new().write(true).open(self.path("lock")).ok()?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => self.read(),
            _ => None,
        }
    }

    /// The monitor that runs, started first when there is none.
    pub(super) fn ensure(&self, context: &Context, project: &Project) -> Result<Whereabouts, Problem> {
        if let Some(running) = self.running() {
            return running.refuses(&Whereabouts::of(context, project)).map_or(Ok(running), Err);
        }
        let host = |error: &dyn std::fmt::Display| Problem::new(ProblemKind::Host, format!("cannot start the monitor: {error}"));
        files::make_folder(&self.folder, 0o700).map_err(|error| host(&error))?;
        let log = self.path("log");
        let errors = OpenOptions::new().create(true).append(true).mode(0o600).open(&log).map_err(|error| host(&error))?;
        let out = errors.try_clone().map_err(|error| host(&error))?;
        let program = std::env::current_exe().map_err(|error| host(&error))?;
        let mut command = Command::new(program);
        command.args(["monitor", "--foreground", "--json", "--env", &context.globals.env, "--home"]).arg(&context.home);
        command.args(context.globals.set.iter().flat_map(|set| ["--set", set])).arg(&project.folder);
        let command = command.stdin(Stdio::null()).stdout(out).stderr(errors).process_group(0);
        let mut child = command.spawn().map_err(|error| host(&error))?;
        let until = Instant::now() + ENDING;
        loop {
            if let Some(running) = self.running().filter(|running| running.pid == child.id()) {
                return Ok(running);
            }
            let ended = child.try_wait().map_err(|error| host(&error))?.is_some();
            if ended || Instant::now() > until {
                // Somebody else may have been faster.
                return self.running().ok_or_else(|| host(&last_words(&log)));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the monitor that runs; false when none did.
    pub(super) fn stop(&self) -> Result<bool, Problem> {
        let Some(running) = self.running() else { return Ok(false) };
        let pid = i32::try_from(running.pid).ok().and_then(Pid::from_raw);
        // A handle that no other process can come to stand behind; the lock says that it was this one.
        let Some(handle) = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else { return Ok(true) };
        if self.running().as_ref() == Some(&running) {
            let sent = pidfd_send_signal(&handle, Signal::TERM);
            sent.map_err(|error| Problem::new(ProblemKind::Target, format!("cannot end process {}: {error}", running.pid)))?;
        }
        let until = Instant::now() + ENDING;
        while self.running().as_ref() == Some(&running) {
            if Instant::now() > until {
                let message = format!("the monitor (process {}) has not ended after {} s", running.pid, ENDING.as_secs());
                return Err(Problem::new(ProblemKind::Target, message));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(true)
    }
}

/// What a process that ended at once said last.
fn last_words(log: &std::path::Path) -> String {
    let last = File::open(log).ok().and_then(|file| BufReader::new(file).lines().map_while(Result::ok).last());
    last.map_or_else(|| format!("its last words are in `{}`", log.display()), |line| crate::output::printable(&line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_runs_is_not_taken_for_what_is_asked_otherwise() {
        let one = |folder: &str, set: &[&str]| Whereabouts {
            pid: 7,
            folder: folder.into(),
            set: set.iter().map(|set| (*set).to_owned()).collect(),
        };
        assert_eq!(one("/a", &["x=1"]).refuses(&one("/a", &["x=1"])), None);
        for (asked, part) in [(one("/b", &["x=1"]), "the one in /a"), (one("/a", &[]), "it with --set x=1")] {
            let problem = one("/a", &["x=1"]).refuses(&asked).expect("refused");
            assert!(problem.message.contains(part) && problem.kind == ProblemKind::Target, "{problem}");
        }
    }
}
