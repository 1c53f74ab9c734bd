//! An OCI registry (distribution spec 1.1): every endpoint, durable before it is acknowledged, collected while it runs.

mod auth;
mod collect;
pub mod digest;
mod error;
mod fsck;
mod http;
mod index;
mod log;
mod manifest;
mod record;
pub mod request;
pub mod rights;
mod server;
mod store;
mod uploads;
mod writer;

pub use auth::PasswordsError;
pub use collect::{Collected, Keep, Policy};
pub use digest::Digest;
pub use fsck::{Report, fsck};
pub use log::{Damage, LogError};
pub use rights::{Rights, RightsError};
pub use server::{Limits, Options, Registry, RegistryError, Say, Tls, tls};
pub use store::OpenError;
