//! Pod life cycle, probes, logs, volumes.

pub mod cluster;
pub mod config;
pub mod container;
pub mod images;
pub mod pod;
pub mod prober;
pub mod state;
pub mod status;
pub mod step;
pub mod volumes;

pub use cluster::{Change, Cluster, Token, TokenRequest};
pub use config::{Capacity, NodeConfig, PodFolders};
pub use images::{ImageConfig, ImageError, Images, PullPolicy, ResolvedImage};
