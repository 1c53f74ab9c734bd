//! The command line: helpers of the engine first, then the command that was asked for.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A pod's shim and the name service are this program, too. They come first, so that they stay small.
    if let Some(code) = wharf::helpers::dispatch() {
        return code;
    }
    wharf::cli::run(std::env::args_os())
}
