//! Starts, supervises and drains the parts of the engine: API server, controllers, node, network.

mod api;
mod control;
mod engine;
mod events;
mod images;
pub mod lock;
mod objects;
mod proxy;
mod registries;
mod services;

pub use engine::{Config, Engine, Log, NODE, network_config, reset};
pub use registries::Registries;
