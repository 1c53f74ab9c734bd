//! The server as its clients see it: kubectl, unmodified, and the handle of its own process.

#[path = "kubectl/commands.rs"]
mod commands;
#[path = "kubectl/common.rs"]
mod common;
#[path = "kubectl/programs.rs"]
mod programs;
#[path = "kubectl/proxy.rs"]
mod proxy;
#[path = "kubectl/semantics.rs"]
mod semantics;
