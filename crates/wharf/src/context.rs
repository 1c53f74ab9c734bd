//! What every command is given: the global flags, and where things are.

use crate::output::Output;
use ::delivery::Copies;
use base::{Problem, ProblemKind};
use clap::Args;
use std::path::{Path, PathBuf};

/// Flags that every command takes.
#[derive(Clone, Debug, Args)]
pub struct Globals {
    /// The project's folder [default: the nearest upwards with a wharf.yaml, else the current one]
    #[arg(long, global = true, value_name = "DIR")]
    pub project: Option<PathBuf>,
    /// The environment of wharf.yaml to work on
    #[arg(long, global = true, value_name = "NAME", default_value = "local")]
    pub env: String,
    /// Overrides a setting; may be repeated
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Prints JSON on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// When to colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", value_parser = ["auto", "always", "never"])]
    pub color: String,
    /// Says only what went wrong
    #[arg(long, global = true)]
    pub quiet: bool,
    /// Says more
    #[arg(long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Answers yes to every question
    #[arg(long, global = true)]
    pub yes: bool,
    /// Where Wharf keeps everything [default: $WHARF_HOME, for root /var/lib/wharf, else below $XDG_DATA_HOME]
    #[arg(long, global = true, value_name = "DIR")]
    pub home: Option<PathBuf>,
}

/// What every command is given.
#[derive(Clone)]
pub struct Context {
    /// The global flags.
    pub globals: Globals,
    /// Where to speak.
    pub output: Output,
    /// All that Wharf keeps.
    pub home: PathBuf,
}

impl Context {
    /// Finds out where things are.
    ///
    /// # Errors
    /// When no home can be told.
    pub fn new(globals: Globals, output: Output) -> Result<Self, Problem> {
        let home = home(&globals)?;
        Ok(Self { globals, output, home })
    }

    /// The project's folder: the argument, `--project`, or the nearest upwards with a `wharf.yaml`.
    ///
    /// # Errors
    /// When the folder that was named is none.
    pub fn project_folder(&self, argument: Option<&Path>) -> Result<PathBuf, Problem> {
        let current =
            std::env::current_dir().map_err(|error| Problem::new(ProblemKind::Host, format!("cannot tell the current folder: {error}")))?;
        if let Some(named) = argument.or(self.globals.project.as_deref()) {
            let folder = current.join(named);
            if !folder.is_dir() {
                return Err(Problem::new(ProblemKind::Usage, format!("`{}` is no folder", named.display()))
                    .hint("name the project's folder, the one with wharf.yaml"));
            }
            return folder
                .canonicalize()
                .map_err(|error| Problem::new(ProblemKind::Usage, format!("cannot enter `{}`: {error}", named.display())));
        }
        let found = current.ancestors().find(|folder| folder.join("wharf.yaml").is_file());
        Ok(found.unwrap_or(&current).to_path_buf())
    }

    /// This machine's copies of what was released in the environment that is worked on.
    pub fn copies(&self) -> Copies {
        Copies::new(&self.home, &self.globals.env)
    }

    /// A runtime for what waits on the network.
    ///
    /// # Errors
    /// When the host gives no threads.
    pub fn tokio(&self) -> Result<tokio::runtime::Runtime, Problem> {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|error| Problem::new(ProblemKind::Host, format!("cannot start threads: {error}")))
    }
}

fn home(globals: &Globals) -> Result<PathBuf, Problem> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let chosen = globals.home.clone().or_else(|| variable("WHARF_HOME"));
    let default = || {
        if rustix::process::geteuid().is_root() {
            return Some(PathBuf::from("/var/lib/wharf"));
        }
        variable("XDG_DATA_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/share"))).map(|data| data.join("wharf"))
    };
    let home = chosen.or_else(default).ok_or_else(|| {
        Problem::new(ProblemKind::Usage, "cannot tell where to keep things: neither $HOME nor $XDG_DATA_HOME is set")
            .hint("pass --home DIR")
    })?;
    std::path::absolute(&home).map_err(|error| Problem::new(ProblemKind::Usage, format!("`{}` is no path: {error}", home.display())))
}
