//! Pod links, services, policy, DNS.

pub mod topology;

pub use topology::*;
