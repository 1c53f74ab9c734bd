//! The project's settings: `wharf.yaml`, `wharf.local.yaml` and `--set`, typed, with all errors at once and the origin of every value.
//!
//! [`load()`] reads a folder; a folder without `wharf.yaml` gets what [`infer()`] sees in it. One table, [`fields`], holds every field: reading,
//! the JSON schema ([`schema()`]), defaults and "did you mean" all come from it.

mod check;
mod command;
pub mod fields;
mod infer;
mod load;
mod merge;
mod node;
mod reader;
mod schema;
mod section;
mod shape;
mod yaml;

pub use check::end_of_day;
pub(crate) use check::is_stack;
pub use command::CommandLine;
pub use fields::{
    About, Advisories, Check, Ci, CiOnly, CiRun, Environment, GateMode, Gates, HttpMethod, Ignored, Image, ImageSecret, Infra, Load,
    Notify, Registries, ScanGate, SecretPlace, Settings, Smoke, Task, Threshold, UnjudgedMode, Uptime, VulnerabilitySeverity,
};
pub use infer::{Inferred, infer};
pub use load::{LOCAL_FILE, PROJECT_FILE, Project, Source, load, read};
pub use node::Origin;
pub use reader::{Percent, Setting};
pub use schema::schema;
