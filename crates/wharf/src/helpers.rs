//! What the program does under other names: the parts of the engine that are processes of their own.

use network::dns::{self, DnsConfig};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// How a run of `wharf ci` is started: then the runner's process, then its command line.
pub const JOB: &str = "__job";

/// Runs a helper when this process was started as one.
pub fn dispatch() -> Option<ExitCode> {
    if let Some(code) = runtime::shim::dispatch(std::env::args_os()) {
        return Some(ExitCode::from(code));
    }
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next()?.to_str()? {
        "__dns" => Some(names(arguments.next().map(PathBuf::from))),
        JOB => Some(job(arguments)),
        _ => None,
    }
}

/// Becomes the command behind it: in a session of its own, so that all that it starts can be ended, and told to end when the runner
/// that started it dies, so that nobody deploys whom nobody follows.
fn job(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let runner = arguments.next().and_then(|text| text.to_str()?.parse::<i32>().ok());
    let _ = rustix::process::setsid();
    let told = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM));
    // It may have died before it could be told.
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    let (Ok(()), true, Ok(program)) = (told, parent == runner, std::env::current_exe()) else { return ExitCode::from(130) };
    let error = std::os::unix::process::CommandExt::exec(std::process::Command::new(program).args(arguments));
    eprintln!("{error}");
    ExitCode::from(70)
}

fn names(home: Option<PathBuf>) -> ExitCode {
    let Some(home) = home else { return ExitCode::from(2) };
    let config = engine::Config { home, program: PathBuf::new(), port: 0, proxies: Default::default() };
    match dns::main(&DnsConfig::of(&engine::network_config(&config))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
