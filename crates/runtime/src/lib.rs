//! Containers: namespaces, cgroups, overlay, one small shim a pod.

pub mod spec;

pub use spec::*;
