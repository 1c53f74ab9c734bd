//! The shim: one process of one thread for each pod, which holds its containers while engines come and go.
//!
//! The engine's program starts itself again with [`WORD`] as its first argument, and calls [`dispatch`] before anything else.

mod child;
mod container;
mod env;
mod exec;
mod log;
mod pod;
mod poll;
mod rootfs;
mod server;
mod streams;

use std::ffi::OsString;
use sys::task;

/// The first argument by which a program knows that it is to be a shim.
pub const WORD: &str = "__shim";

/// Runs the shim when `args` (with the program's name first) ask for it; the exit code when it has ended.
/// Call it first thing in `main`, before threads, locks and buffers are made.
pub fn dispatch(args: impl IntoIterator<Item = OsString>) -> Option<u8> {
    let mut args = args.into_iter().skip(1);
    (args.next()? == WORD).then(|| main(&args.collect::<Vec<_>>()))
}

/// Is the shim until its pod is removed. The listening socket is standard input; arguments only name the pod for `ps`.
/// Returns the exit code: 0 when the pod was removed, 1 when it could not begin.
pub fn main(_args: &[OsString]) -> u8 {
    let begun = begin().and_then(server::Server::new);
    match begun {
        Ok(mut server) => u8::from(server.run().is_err()),
        Err(_) => 1,
    }
}

fn begin() -> std::io::Result<task::OnlyThread> {
    // Away from the engine's terminal and process group, so that what ends the engine does not end us.
    sys::pty::new_session()?;
    if !crate::weak::is(crate::weak::Weakness::WritableProgram) {
        task::set_dumpable(false)?;
    }
    task::become_subreaper()?;
    for signal in [1, 2, 3, 13, 15] {
        task::ignore_signal(signal);
    }
    std::env::set_current_dir("/")?;
    // What containers begin with, whatever the engine's is.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    task::OnlyThread::prove()
}
