//! The process of the name service: found again by a lock that it holds, never by a number alone.

use super::DnsConfig;
use crate::topology::NetworkError;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Takes the lock, and writes down who has it.
pub(super) fn claim(config: &DnsConfig) -> Result<File, NetworkError> {
    let failed = |error: &dyn std::fmt::Display| problem(&config.pid_file, error);
    let mut file = open(&config.pid_file).map_err(|error| failed(&error))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| failed(&"another name service holds it"))?;
    let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| write!(file, "{}", std::process::id()));
    written.map_err(|error| failed(&error))?;
    Ok(file)
}

/// The process id of the name service, if it runs: it is bound and answers.
///
/// # Errors
/// When its file cannot be read.
pub fn running(config: &DnsConfig) -> Result<Option<u32>, NetworkError> {
    let mut file = match OpenOptions::new().read(true).open(&config.pid_file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|error| problem(&config.pid_file, &error))?,
    };
    if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
        return Ok(None);
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|error| problem(&config.pid_file, &error))?;
    Ok(text.trim().parse().ok())
}

/// Ends the name service and waits until it is gone; blocking. Gone already is success.
///
/// # Errors
/// When it cannot be ended within five seconds.
pub fn stop(config: &DnsConfig) -> Result<(), NetworkError> {
    const PATIENCE: Duration = Duration::from_secs(5);
    let from = Instant::now();
    let mut asked = false;
    while let Some(pid) = running(config)? {
        let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid.filter(|_| !asked) {
            // The lock was held a moment ago, so the number is still that process's.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            asked = true;
        }
        if from.elapsed() > PATIENCE {
            return Err(problem(&config.pid_file, &"the name service does not end"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = std::fs::remove_file(&config.pid_file);
    Ok(())
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)
}

fn problem(path: &Path, error: &dyn std::fmt::Display) -> NetworkError {
    NetworkError { doing: format!("use {}", path.display()), reason: error.to_string() }
}
