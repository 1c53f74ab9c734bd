//! What the program does under other names: the parts of the engine that are processes of their own.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs a helper when this process was started as one.
pub fn dispatch() -> Option<ExitCode> {
    let name = std::env::args_os().nth(1)?;
    let rest = || std::env::args_os().skip(2).collect::<Vec<OsString>>();
    match name.to_str()? {
        "__shim" => Some(runtime::shim::main(&rest())),
        "__dns" => Some(network::dns::main(&rest())),
        _ => None,
    }
}
