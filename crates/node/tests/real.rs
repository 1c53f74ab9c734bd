//! The node on the real runtime and the real network, in a network namespace of its own. Without the test harness: this program is its
//! own shim too.

#![allow(clippy::print_stdout, clippy::exit, reason = "a test program tells what it skipped and measured")]

/// What the fake of the API is written against.
mod cluster {
    pub use node::cluster::*;
}
#[path = "../src/testing/cluster.rs"]
#[allow(dead_code, reason = "the unit tests use the rest")]
mod fake;
#[path = "real/scenarios.rs"]
mod scenarios;
#[path = "real/world.rs"]
mod world;

use std::os::unix::process::CommandExt;
use std::process::Command;

/// By its presence the program knows that it is in a namespace of its own.
const INSIDE: &str = "--inside";

fn main() {
    if let Some(code) = runtime::shim::dispatch(std::env::args_os()) {
        std::process::exit(code.into());
    }
    let args: Vec<String> = std::env::args().collect();
    if args.iter().any(|arg| arg == "--list") {
        return;
    }
    if !args.iter().any(|arg| arg == INSIDE) {
        if !world::can_run() {
            return;
        }
        // Whatever goes wrong, processes and mounts end with the first process of the namespaces.
        let flags = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"];
        let error = Command::new("unshare").args(flags).arg(std::env::current_exe().expect("a path")).arg(INSIDE).exec();
        println!("skipped: unshare: {error}");
        return;
    }
    if !Command::new("ip").args(["link", "set", "lo", "up"]).status().is_ok_and(|status| status.success()) {
        println!("skipped: ip");
        return;
    }
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    if !tokio.block_on(scenarios::all()) {
        std::process::exit(1);
    }
}
