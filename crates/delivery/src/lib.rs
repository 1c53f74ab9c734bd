//! Stages, plan, rollout, rollback, records: from manifests to objects that serve, or back.

mod apply;
mod deploy;
mod down;
pub mod hold;
pub mod inventory;
pub mod manifests;
pub mod order;
mod plan;
pub mod progress;
mod prune;
mod records;
pub mod rollout;
pub mod settings;
pub mod smoke;
pub mod stage;
pub mod status;
mod track;
pub mod world;

pub use deploy::{Delivery, DeployError, Deployed, Failed, Options};
pub use down::{DownOptions, Downed};
pub use plan::{FieldChange, Plan, PlannedObject, differences};
pub use progress::{Change, Listener, Progress};
pub use records::{Fate, Record};
