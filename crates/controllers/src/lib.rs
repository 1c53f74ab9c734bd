//! What keeps the cluster as its objects say, one file per controller.
//!
//! A controller is a pure step: it is given the name of an object and a view of the world, and answers with writes.
//! Whoever runs it carries the writes out, and calls again when something that it watches has changed.

mod deployment;
mod endpoint_mirror;
mod endpoint_slice;
mod endpoints;
mod event_ttl;
mod garbage;
mod load_balancer;
mod namespace;
mod quota;
mod replica_set;
mod replicas;
mod replication_controller;
mod root_ca;
mod scheduler;
mod service_account;
mod token_secret;
mod volume_binder;
mod workload;
pub mod world;

#[cfg(test)]
mod testing;

pub use world::{Controller, Step, Watch, World, Write};

/// Every controller.
pub const CONTROLLERS: &[Controller] = &[
    deployment::CONTROLLER,
    replica_set::CONTROLLER,
    replication_controller::CONTROLLER,
    scheduler::CONTROLLER,
    endpoint_slice::CONTROLLER,
    endpoints::CONTROLLER,
    endpoint_mirror::CONTROLLER,
    load_balancer::CONTROLLER,
    namespace::CONTROLLER,
    garbage::CONTROLLER,
    service_account::CONTROLLER,
    token_secret::CONTROLLER,
    root_ca::CONTROLLER,
    volume_binder::CONTROLLER,
    quota::CONTROLLER,
    event_ttl::CONTROLLER,
];
