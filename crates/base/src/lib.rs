//! What every room shares: findings, problems, units, time and atomic files.
//!
//! Nothing here prints, reads the environment or exits. Only [`files`] touches the disk; all else is pure.

pub mod clock;
pub mod files;
pub mod finding;
pub mod ids;
pub mod mask;
pub mod problem;
pub mod secret;
pub mod suggest;
pub mod units;
pub mod xml;

pub use clock::{Clock, SystemClock, Timestamp};
pub use finding::{Finding, Place, Severity};
pub use mask::Mask;
pub use problem::{Problem, ProblemKind};
pub use secret::Secret;
