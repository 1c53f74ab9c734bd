//! Stages, plan, rollout, rollback, records: from manifests to objects that serve, or back.

mod apply;
mod deploy;
mod down;
mod drain;
pub mod health;
pub mod hold;
pub mod inventory;
mod judge;
mod last_lines;
pub mod ledger;
pub mod manifests;
pub mod order;
mod plan;
mod preflight;
pub mod progress;
mod prune;
mod records;
pub mod redact;
pub mod rollout;
pub mod settings;
pub mod smoke;
pub mod stage;
pub mod status;
mod track;
pub mod world;

pub use deploy::{Delivery, DeployError, Deployed, Failed, Options};
pub use down::{DownOptions, Downed};
pub use judge::Judgement;
pub use plan::{FieldChange, Plan, PlannedObject, approval, differences, saved};
pub use progress::{Change, Listener, Progress};
pub use records::copies::{Copies, Listed};
pub use records::seal::{self, Check, Verified};
pub use records::{Fate, Record, statement};
