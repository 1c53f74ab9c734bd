//! Containers: namespaces, cgroups, overlay, one small shim a pod.

pub mod cgroup;
mod client;
mod protocol;
pub mod seccomp;
pub mod shim;
pub mod spec;
mod users;
pub mod weak;

pub use client::{Config, ShimRuntime};
pub use spec::*;
