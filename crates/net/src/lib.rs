//! HTTP plumbing: TLS, HTTP/1.1 and h2 on one port, limits, upgrades, and a drain that loses nothing.

pub mod body;
pub mod client;
pub mod drain;
pub mod host;
pub mod server;
pub mod tls;

pub use body::{Body, BodyError, read_away, read_body};
pub use drain::{Drain, Draining};
pub use host::{authority, is_ours};
pub use server::{Handler, Limits, Peer, Serving, serve};
