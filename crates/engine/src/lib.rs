//! Starts, supervises and drains the parts of the engine: API server, controllers, node, network.

pub mod control;
mod events;
mod images;
pub mod lock;
pub mod objects;
mod services;
