//! Pod life cycle, probes, logs, volumes.

pub mod cluster;
pub mod config;
pub mod container;
pub mod heartbeat;
pub mod images;
pub mod logs;
pub mod machine;
pub mod manager;
pub mod pod;
pub mod prober;
pub mod signals;
pub mod state;
pub mod status;
pub mod step;
pub mod streams;
#[cfg(test)]
mod testing;
pub mod volumes;

pub use cluster::{Change, Cluster, Token, TokenRequest};
pub use config::{Capacity, NodeConfig, PodFolders};
pub use images::{Found, ImageConfig, ImageError, ImageRequest, Images, PullPolicy, PullSecret, PulledImage, ResolvedImage, SecretForm};
pub use logs::{LogOptions, LogSource, LogStream};
pub use machine::Machine;
pub use manager::{NodeManager, Parts, clean};
pub use streams::StreamError;
