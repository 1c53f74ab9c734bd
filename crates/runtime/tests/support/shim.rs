//! The program that tests start as a shim; the engine's own is `wharf`.

use std::process::ExitCode;

fn main() -> ExitCode {
    // What an attacker wants of it: to be there, inside a container, for long enough.
    if std::env::args_os().nth(1).is_some_and(|word| word == "__wait") {
        std::thread::sleep(std::time::Duration::from_secs(600));
    }
    ExitCode::from(runtime::shim::dispatch(std::env::args_os()).unwrap_or(64))
}
