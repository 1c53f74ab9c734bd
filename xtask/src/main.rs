//! Generators, tidy checks, benchmarks: `cargo run -p xtask -- COMMAND`.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::exit)]

mod bench;
mod facts;
mod fuzz;
mod long;
mod product;
mod suite;
mod tidy;
mod verdicts;

/// One command: its name, what it does, and the function that does it.
struct Command {
    name: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Result<(), String>,
}

const COMMANDS: &[Command] =
    &[suite::COMMAND, tidy::COMMAND, fuzz::COMMAND, long::COMMAND, bench::COMMAND, facts::COMMAND, verdicts::COMMAND];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let named = args.first().and_then(|name| COMMANDS.iter().find(|command| command.name == name));
    let Some(command) = named else {
        eprintln!("usage: cargo run -p xtask -- COMMAND");
        for command in COMMANDS {
            eprintln!("  {:<12}{}", command.name, command.about);
        }
        std::process::exit(2);
    };
    if let Err(problem) = (command.run)(args.get(1..).unwrap_or_default()) {
        eprintln!("error: {problem}");
        std::process::exit(1);
    }
}

/// The project's folder.
fn root() -> std::path::PathBuf {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
