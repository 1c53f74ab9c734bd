//! Runs loads and shows what came of them.

mod kept;
mod shown;

pub use kept::Kept;
pub use shown::{outcome, show};

use crate::output::Output;
use base::{Problem, ProblemKind};
use loadgen::{Config, ConfigError, Report};
use serde_json::json;

/// Runs one load to its end, or until `end` comes.
///
/// # Errors
/// When a setting cannot be used, or the host cannot be found.
pub async fn run(output: &Output, config: Config, end: impl Future<Output = ()>) -> Result<Report, Problem> {
    let progress = |progress: loadgen::Progress| {
        if output.is_json() {
            let milliseconds = u64::try_from(progress.elapsed.as_millis()).unwrap_or(u64::MAX);
            output.json(&json!({"load": {"milliseconds": milliseconds, "done": progress.done, "failed": progress.failed}}));
        }
    };
    loadgen::run_until(config, end, progress).await.map_err(|error| {
        let kind = match &error {
            ConfigError::Host { .. } => ProblemKind::Unreachable,
            ConfigError::Machine(_) => ProblemKind::Host,
            ConfigError::Url(_) | ConfigError::Number(_) | ConfigError::Tls { .. } => ProblemKind::Usage,
        };
        Problem::new(kind, error.to_string())
    })
}

/// Whether a load was good, in the words of a problem where it was not.
///
/// # Errors
/// When it was not: the generator was too slow to measure, or limits were not kept.
pub fn judge(report: &Report) -> Result<(), Problem> {
    let what = format!("{} {}", report.method, report.url);
    if !report.broken.is_empty() {
        let mut problem = Problem::new(ProblemKind::Work, format!("{what}: {}", report.broken.join("; ")));
        for error in &report.errors {
            let example = error.examples.first().map_or("", String::as_str);
            problem = problem.hint(format!("{} x {}: {example}", error.count, error.kind));
        }
        return Err(problem);
    }
    match &report.saturated {
        Some(saturated) => Err(Problem::new(ProblemKind::Host, format!("{what}: not measured: {}", saturated.reason))),
        None => Ok(()),
    }
}
