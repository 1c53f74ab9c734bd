//! The one Kubernetes client: objects as JSON values, on the engine and on any other cluster alike.
//!
//! Known kinds need no discovery; one client keeps its TLS connections. Nothing here asks which cluster it is.

mod connect;
mod discovery;
mod error;
mod objects;
mod plugin;
mod pods;
mod resource;
mod watch;

pub use connect::{Cluster, Target};
pub use error::{Error, Result};
pub use objects::{Apply, Delete, List, Propagation, Selection};
pub use plugin::PluginError;
pub use pods::{Ended, Exec, Logs, Process};
pub use resource::Resource;
pub use watch::{Event, Events};
