//! Load on an HTTP service: pacers, connections, histograms.
//!
//! Closed loop: so many connections, each asks again when it is answered. Open loop: requests are due at a constant rate,
//! whatever the answers do, and latency counts from the moment a request was due: waiting is not left out.

mod config;
mod connection;
mod pace;
mod report;
mod response;
mod run;
mod tally;
mod timer;
mod worker;

pub use config::{Amount, Config, ConfigError, Limits, Pace, Target};
pub use report::{ErrorCount, Percentiles, Report, Saturation};
pub use run::{Progress, run};
