//! Facts of the machine, for the Node object.

use crate::config::Capacity;
use std::path::Path;

/// What `status.nodeInfo` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// `/etc/machine-id`.
    pub machine_id: String,
    /// Of this boot.
    pub boot_id: String,
    /// Kernel release.
    pub kernel: String,
    /// Name of the distribution.
    pub os_image: String,
    /// `amd64`, `arm64`.
    pub architecture: &'static str,
}

impl Machine {
    /// Reads them; what cannot be read is empty.
    pub fn read() -> Self {
        let text = |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
        let release = text("/etc/os-release");
        let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("Linux");
        Self {
            machine_id: text("/etc/machine-id"),
            boot_id: text("/proc/sys/kernel/random/boot_id"),
            kernel: text("/proc/sys/kernel/osrelease"),
            os_image: pretty.trim_matches('"').to_owned(),
            architecture: match std::env::consts::ARCH {
                "x86_64" => "amd64",
                "aarch64" => "arm64",
                other => other,
            },
        }
    }
}

impl Capacity {
    /// What this machine has; `home` is on the disk that is counted. A tenth of the memory, at most 512 MiB, is kept from pods.
    pub fn of_machine(home: &Path) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory_bytes = total_bytes(&memory);
        Self {
            cpu_milli: cores as u64 * 1_000,
            memory_bytes,
            disk_bytes: disk(home).map_or(0, |(total, _)| total),
            pods: 110,
            reserved_memory_bytes: (memory_bytes / 10).min(512 << 20),
        }
    }
}

fn total_bytes(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) << 10
}

/// Bytes of the file system that a path is on: in all, and left; of the nearest folder that exists.
pub(crate) fn disk(path: &Path) -> Option<(u64, u64)> {
    let stat = path.ancestors().find_map(|path| rustix::fs::statvfs(path).ok())?;
    Some((stat.f_blocks.saturating_mul(stat.f_frsize), stat.f_bavail.saturating_mul(stat.f_frsize)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_this_machine() {
        let machine = Machine::read();
        assert!(!machine.kernel.is_empty() && !machine.os_image.is_empty());
        let capacity = Capacity::of_machine(Path::new("/nonexistent/home"));
        assert!(capacity.cpu_milli >= 1_000 && capacity.memory_bytes > 64 << 20 && capacity.disk_bytes > 0);
        assert_eq!(total_bytes("MemTotal:       16 kB\nMemFree: 1 kB\n"), 16 << 10);
    }
}
