//! Load on an HTTP service: pacers, connections, histograms.
//!
//! Closed loop: so many connections, each asks again when it is answered. Open loop: requests are due at a constant rate,
//! whatever the answers do, and latency counts from the moment a request was due: waiting is not left out.
//!
//! HTTP/1.1 has a loop of its own over non-blocking sockets, for there a request may cost little; HTTP/2 has tasks.

mod config;
mod exchange;
mod failure;
mod http1;
mod http2;
mod judge;
mod pace;
mod poll;
mod report;
mod response;
mod run;
mod shared;
mod stream;
mod tally;
mod target;
mod timer;
mod tls;

pub use config::{Amount, Config, ConfigError, Limits, Pace, Trust, basic};
pub use judge::{Before, Saturation, show_micros};
pub use report::{ErrorCount, Generator, Percentiles, Report};
pub use run::{Progress, run, run_until};
