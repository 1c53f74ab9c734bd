//! The program that tests start as a shim; the engine's own is `wharf`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(runtime::shim::dispatch(std::env::args_os()).unwrap_or(64))
}
