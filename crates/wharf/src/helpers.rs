//! What the program does under other names: the parts of the engine that are processes of their own.

use network::dns::{self, DnsConfig};
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs a helper when this process was started as one.
pub fn dispatch() -> Option<ExitCode> {
    if let Some(code) = runtime::shim::dispatch(std::env::args_os()) {
        return Some(ExitCode::from(code));
    }
    let mut arguments = std::env::args_os().skip(1);
    (arguments.next()?.to_str()? == "__dns").then(|| names(arguments.next().map(PathBuf::from)))
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
