//! RUN.

use crate::dated::Dated;
use crate::error::Trouble;
use crate::event::BuildEvent;
use crate::isolate::{Exit, Network, RunMount, RunSource, RunStep};
use crate::key::Key;
use crate::mount::{Planned, Ready};
use crate::scope::{DEFAULT_PATH, PROXIES};
use crate::stage::{Begun, Stage};
use crate::stubs::Stubs;
use base::files::FileError;
use blobs::{Stamp, View};
use dockerfile::{Instruction, Run, Script};
use oci::DiffId;
use oci::tar::{EntryPath, Mtime};
use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

/// Lines of a failed command that its error keeps.
const KEPT_LINES: usize = 20;

/// What a step executes.
struct Command<'a> {
    args: Vec<String>,
    script: Script,
    network: Network,
    mounts: Vec<Planned<'a>>,
}

impl Stage<'_> {
    pub(crate) fn run(&mut self, instruction: &Instruction, run: &Run) -> Result<(), Trouble> {
        let begun = self.begin(instruction);
        let shell = self.config.config.shell.clone().unwrap_or_else(|| vec!["/bin/sh".into(), "-c".into()]);
        let script = run.script();
        let args = match &script {
            Script::Exec(args) => args.clone(),
            Script::Shell(text) => shell.iter().cloned().chain([text.clone()]).collect(),
            // BuildKit mounts the text there too; a script sees the name as its `$0`.
            Script::File(_) => vec![format!("/dev/pipes/{}", run.heredocs.first().map_or("EOF", |heredoc| heredoc.name.as_str()))],
        };
        let network = match run.network.as_deref() {
            Some("none") => Network::None,
            // A base's ONBUILD was not there to be checked before.
            Some("host") if !self.shared.request.host_network => {
                return Err(
                    Trouble::new("RUN --network=host is not allowed").hint("pass `--allow network.host` if you trust the base image")
                );
            }
            Some("host") => Network::Host,
            _ => Network::Outward,
        };
        let mut key = Key::new("RUN", &self.chain());
        key.part("command", args.join("\0").as_bytes());
        if let Script::File(text) = &script {
            key.part("script", text.as_bytes());
        }
        for (name, value) in self.env.iter().filter(|(name, _)| !PROXIES.contains(&name.as_str())) {
            key.part(format!("variable {name}"), value.as_bytes());
        }
        let base = &self.config.config;
        key.part(
            "user, folder and network",
            format!("{}\0{}\0{network:?}\0{}", base.user, base.working_dir, self.shared.layer_time).as_bytes(),
        );
        let mounts = self.plan_mounts(run, &mut key)?;
        let (layer, reasons) = match self.recall(&key) {
            Some(layer) => (layer, None),
            None => {
                let reasons = self.compare(&key, &begun);
                let layer = self.execute(Command { args, script, network, mounts }, &begun)?;
                self.store_outcome(&key, &begun, layer);
                (layer, Some(reasons))
            }
        };
        self.finish(begun, layer, reasons)
    }

    /// Gives the person at the terminal a shell where a step failed; nothing that is done there is kept. Other stages end after what
    /// they are at, and are silent until then.
    fn look_around(&self, failed: RunStep, exit: Exit, begun: &Begun) {
        if self.shared.stopped.swap(true, Ordering::Relaxed) {
            return;
        }
        let tell = |line: String| self.shared.tell(BuildEvent::Output { step: begun.id.clone(), line });
        let why = outcome(exit, Vec::new()).err().unwrap_or_default().message;
        tell(format!("{why}; this shell stands where it did, and nothing done in it is kept: `exit` leaves it"));
        let shell = self.config.config.shell.as_ref().and_then(|shell| shell.first().cloned());
        let args = vec![shell.unwrap_or_else(|| "/bin/sh".to_owned())];
        let step = RunStep { name: format!("shell-{}", base::ids::suffix(10)), args, ..failed };
        let done = {
            let _alone = self.shared.terminal.write();
            self.shared.outside.isolate.shell(&step)
        };
        if let Err(error) = done {
            tell(format!("no shell: {}", error.message));
        }
    }

    fn execute(&self, command: Command<'_>, begun: &Begun) -> Result<Option<DiffId>, Trouble> {
        let Command { args, script, network, mounts } = command;
        let temp = self.shared.store.temp()?;
        let view = View::open(&self.trees())?;
        // Of its own: the root is mounted over it, and nothing else of the step may be hidden below that.
        let own = temp.path().join("root");
        let since = prepare(&own, &view)?;
        let dated =
            if mounts.iter().any(Planned::remembers) { Some(Dated::of(self.layers(), self.shared.layer_time, temp.path())?) } else { None };
        let mut layers = dated.as_ref().map_or_else(|| self.trees(), |dated| dated.trees.clone());
        if layers.is_empty() {
            layers.push(own.join("empty"));
        }
        let mut ready = Ready::of(&mounts, self.shared, temp.path())?;
        if let Script::File(text) = &script {
            ready.mounts.push(script_file(temp.path(), text, args.first().map_or("", String::as_str))?);
        }
        let stubs = Stubs::of(ready.mounts.iter().map(|mount| mount.target.as_str()), &view)?;
        let step = RunStep {
            name: format!("build-{}", base::ids::suffix(10)),
            layers,
            upper: own.join("upper"),
            work: own.join("work"),
            args,
            env: self.run_env(&ready.env),
            workdir: if self.config.config.working_dir.is_empty() { "/".into() } else { self.config.config.working_dir.clone() },
            user: self.config.config.user.clone(),
            network,
            mounts: std::mem::take(&mut ready.mounts),
        };
        let last = Mutex::new(VecDeque::with_capacity(KEPT_LINES));
        let output = |line: &str| {
            let line = ready.mask.apply(line);
            if let Ok(mut last) = last.lock() {
                if last.len() == KEPT_LINES {
                    last.pop_front();
                }
                last.push_back(line.clone());
            }
            self.shared.tell(BuildEvent::Output { step: begun.id.clone(), line });
        };
        let exit = self
            .shared
            .outside
            .isolate
            .run(&step, &output)
            .map_err(|error| Trouble::new(format!("cannot run it: {}", ready.mask.apply(&error.message))).hint(error.hint))?;
        let last: Vec<String> = last.into_inner().unwrap_or_default().into();
        if exit != Exit::Code(0) && self.shared.request.shell {
            self.look_around(step.clone(), exit, begun);
        }
        outcome(exit, last).map_err(|trouble| if ready.hint.is_empty() { trouble } else { trouble.hint(ready.hint.clone()) })?;
        stubs.clear(&step.upper, &view)?;
        if let Some(dated) = &dated {
            dated.undo(&step.upper, self.shared.layer_time)?;
        }
        if let Some(path) = (!ready.mask.is_empty()).then(|| ready.mask.find(&step.upper)).flatten() {
            let place = format!("{}:{}", self.shared.read.file, begun.line());
            self.shared.warn(format!("{place}: a secret is in `/{}` of the image, for everybody who has it", path.display()));
        }
        let tree = temp.path().join("tree");
        fs::rename(&step.upper, &tree).map_err(|error| FileError::new("move", &tree, error))?;
        let layer = self.shared.store.layers().commit(&temp, Stamp { since, becomes: self.shared.layer_time })?;
        Ok(self.unless_empty(layer)?)
    }

    fn run_env(&self, secrets: &[(String, String)]) -> Vec<(String, String)> {
        let mut env = self.env.clone();
        if env.get("PATH").is_none() {
            env.set("PATH", DEFAULT_PATH);
        }
        // Tools that write times into what they make (Python's compiler, archivers, compilers) write this one.
        if env.get("SOURCE_DATE_EPOCH").is_none() {
            env.set("SOURCE_DATE_EPOCH", &self.shared.layer_time.to_string());
        }
        for name in PROXIES {
            if let (None, Some(value)) = (env.get(name), self.shared.request.args.get(name)) {
                env.set(name, value);
            }
        }
        for (name, value) in secrets {
            env.set(name, value);
        }
        env.iter().cloned().collect()
    }
}

/// Makes the folders that overlay wants; the upper one is as the root below. Gives the moment from which on files are new.
fn prepare(own: &Path, view: &View) -> Result<Mtime, Trouble> {
    for name in ["upper", "work", "empty"] {
        base::files::make_folder(&own.join(name), 0o755)?;
    }
    let upper = own.join("upper");
    let fail = |error| FileError::new("prepare", &upper, error);
    let (mode, uid, gid) =
        view.node(&EntryPath::default())?.map_or((0o755, 0, 0), |root| (root.stat.st_mode & 0o7777, root.stat.st_uid, root.stat.st_gid));
    std::os::unix::fs::chown(&upper, Some(uid), Some(gid)).map_err(fail)?;
    fs::set_permissions(&upper, fs::Permissions::from_mode(mode)).map_err(fail)?;
    let stat = fs::metadata(&upper).map_err(fail)?;
    Ok(Mtime { seconds: stat.mtime(), nanos: u32::try_from(stat.mtime_nsec()).unwrap_or(0) })
}

fn script_file(folder: &Path, text: &str, target: &str) -> Result<RunMount, Trouble> {
    let path = folder.join("script");
    base::files::write_atomically(&path, text.as_bytes(), 0o755)?;
    Ok(RunMount { source: RunSource::Path(path), target: target.to_owned(), read_only: true })
}

fn outcome(exit: Exit, output: Vec<String>) -> Result<(), Trouble> {
    let (message, code, hint) = match exit {
        Exit::Code(0) => return Ok(()),
        Exit::Code(code @ (126 | 127)) => (
            format!("the command ended with exit code {code}"),
            Some(code),
            "127 is a command that is not there, 126 one that cannot be run",
        ),
        Exit::Code(code) => (format!("the command ended with exit code {code}"), Some(code), ""),
        Exit::Signal(signal) => (format!("the command was ended by signal {signal}"), Some(128 + signal), ""),
        Exit::OutOfMemory => ("the command was ended because it used more memory than it may".to_owned(), Some(137), ""),
    };
    Err(Trouble { message, hint: hint.to_owned(), output, exit: code, ..Trouble::default() })
}
