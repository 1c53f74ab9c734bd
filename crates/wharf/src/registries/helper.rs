//! Docker's credential helpers: programs that are told `get`, `store` or `erase` and speak JSON.

use crate::interrupt;
use blobs::remote::Secret;
use oci::registry::docker_config::MAX_HELPER_BYTES;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a helper said.
pub enum Answer {
    /// This.
    Said(Secret),
    /// That it knows nothing of the registry.
    Unknown,
}

/// Helpers may ask a person, or a cloud.
const TIME: Duration = Duration::from_secs(60);

/// Runs `docker-credential-NAME`.
///
/// # Errors
/// A sentence; what the helper was told is never in it.
pub fn run(name: &str, what: &str, told: &Secret) -> Result<Answer, String> {
    let program = format!("docker-credential-{name}");
    let mut command = Command::new(&program);
    command.arg(what).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut ours = interrupt::spawn(&mut command, interrupt::Kind::Terminal).map_err(|error| format!("cannot start it: {error}"))?;
    let (stdin, stdout) = (ours.child.stdin.take(), ours.child.stdout.take());
    if let Some(mut stdin) = stdin {
        // One that reads nothing and answers is fine.
        let _ = stdin.write_all(told.reveal().as_bytes());
    }
    let reading = std::thread::spawn(move || {
        let mut said = Vec::new();
        if let Some(stdout) = stdout {
            let _ = stdout.take(MAX_HELPER_BYTES as u64 + 1).read_to_end(&mut said);
        }
        said
    });
    let began = Instant::now();
    let status = loop {
        match ours.child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break status,
            None if began.elapsed() > TIME => {
                let _ = ours.child.kill();
                let _ = ours.child.wait();
                return Err(format!("it did not answer within {} s", TIME.as_secs()));
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let said = String::from_utf8_lossy(&reading.join().unwrap_or_default()).into_owned();
    if status.success() {
        return Ok(Answer::Said(Secret::new(said)));
    }
    // The protocol's own words for it, on standard output.
    if said.contains("credentials not found") {
        return Ok(Answer::Unknown);
    }
    let mut why: String = said.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).take(200).collect();
    if !told.reveal().is_empty() && what == "store" {
        // Nothing of what it was told is told on.
        why = String::new();
    }
    Err(if why.is_empty() { format!("it ended with {status}") } else { format!("{why} (it ended with {status})") })
}
