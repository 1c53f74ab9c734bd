//! The network for real: namespaces that play the machine, its pods and the world outside, with real connections.

#![allow(clippy::print_stdout, reason = "tests tell what they skipped and measured")]

#[path = "real/links.rs"]
mod links;
#[path = "real/names.rs"]
mod names;
#[path = "real/policies.rs"]
mod policies;
#[path = "real/services.rs"]
mod services;
#[path = "real/world.rs"]
mod world;
