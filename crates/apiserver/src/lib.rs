//! The Kubernetes API of the engine: authentication, authorization, admission, and the one resource handler.
//!
//! A request goes through [`http`]: who asks ([`auth`]), what for ([`request`]), then the verb ([`handler`]) on a kind of
//! `k8s::KINDS`, with the rules of [`admission`]. Objects are canonical JSON in the store ([`objects`]).

pub mod admission;
pub mod api;
pub mod auth;
mod bootstrap;
pub mod core;
mod documents;
pub mod handler;
pub mod http;
pub mod node_proxy;
pub mod objects;
pub mod pki;
mod proxy;
pub mod request;
pub mod respond;
pub mod seal;
pub mod server;
mod streams;
mod subresource;
pub mod user;

pub use crate::api::{Api, Change, Changes};
pub use crate::auth::token::TokenWish;
pub use crate::handler::options::{DeleteOptions, Propagation};
pub use crate::handler::patching::PatchKind;
pub use crate::node_proxy::{Duplex, LogOptions, NoNode, NodeProxy};
pub use crate::pki::kubeconfig;
pub use crate::request::Target;
pub use crate::server::{Config, Server, StartError};
