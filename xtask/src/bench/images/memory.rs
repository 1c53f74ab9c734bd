//! The memory of a build: of all our processes, not of what steps run.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(5);

/// Runs a build, and looks at what its processes have together: the most that was seen, in MB (PSS).
pub(super) fn peak_mb(command: &mut Command, program: &Path) -> Result<f64, String> {
    let before: BTreeSet<u32> = ours(program).into_iter().collect();
    let failed = |error: std::io::Error| format!("cannot run {program:?}: {error}");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(failed)?;
    let mut peak = 0;
    let status = loop {
        let now = ours(program).into_iter().filter(|id| !before.contains(id)).map(super::super::idle::pss_kib).sum::<u64>();
        peak = peak.max(now);
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        std::thread::sleep(EVERY);
    };
    if status.success() { Ok(peak as f64 * 1024.0 / 1e6) } else { Err(format!("{command:?}: {status}")) }
}

/// The program itself, and the shims of steps, which have given up the root that it lies in.
fn ours(program: &Path) -> Vec<u32> {
    let ids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_ours = |id: &u32| {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0).skip(1);
        let is_shim = words.next() == Some(b"__shim") && words.next().is_some_and(|pod| pod.starts_with(b"build-"));
        is_shim || std::fs::read_link(format!("/proc/{id}/exe")).is_ok_and(|own| own == program)
    };
    ids.filter(is_ours).collect()
}
