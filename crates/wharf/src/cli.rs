//! The command line's grammar, and how a command's end becomes an exit code.

use crate::commands::{COMMANDS, Command};
use crate::context::{Context, Globals};
use crate::output::Output;
use base::{Problem, ProblemKind};
use clap::{Args, FromArgMatches};
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command that the arguments name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match grammar().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            // clap prints help on standard output and what was wrong on standard error.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { ProblemKind::Usage.exit_code() } else { 0 });
        }
    };
    let globals = match Globals::from_arg_matches(&matches) {
        Ok(globals) => globals,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(ProblemKind::Usage.exit_code());
        }
    };
    let output = Output::new(&globals);
    let Some((name, matches)) = matches.subcommand() else { return ExitCode::from(ProblemKind::Usage.exit_code()) };
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        return ExitCode::from(ProblemKind::Defect.exit_code());
    };
    let done = Context::new(globals, output.clone()).and_then(|context| (command.run)(&context, matches));
    match done {
        Ok(code) => code,
        Err(problem) => {
            crate::interrupt::give_way();
            output.problem(&problem);
            ExitCode::from(problem.kind.exit_code())
        }
    }
}

fn grammar() -> clap::Command {
    let root = clap::Command::new("wharf")
        .about("Takes containerised web services from source to running, safely, and keeps watching them")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .max_term_width(100);
    let subcommand = |command: &Command| (command.define)(clap::Command::new(command.name).about(command.about));
    Globals::augment_args(root).subcommands(COMMANDS.iter().map(subcommand))
}

/// Whether a command line is one of ours.
#[cfg(test)]
pub fn check(arguments: impl IntoIterator<Item = OsString>) -> Result<(), clap::Error> {
    grammar().try_get_matches_from(arguments).map(|_| ())
}

/// The problem of arguments that clap let pass.
pub fn usage(message: impl Into<String>) -> Problem {
    Problem::new(ProblemKind::Usage, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_sound_and_every_command_says_what_it_does() {
        grammar().debug_assert();
        for command in COMMANDS {
            assert!(!command.about.is_empty() && !command.about.ends_with('.'), "{}", command.name);
        }
    }
}
