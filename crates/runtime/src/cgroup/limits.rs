//! What limits are as values of control files.

use crate::spec::Resources;

/// Microseconds of one period of the CPU limit, as Kubernetes sets it.
const PERIOD: u64 = 100_000;

/// A value to be written.
#[derive(Debug, PartialEq, Eq)]
pub struct Write {
    /// File name in the group's folder.
    pub file: &'static str,
    /// Value.
    pub value: String,
    /// The kernel may be built without it (swap accounting).
    pub may_be_missing: bool,
}

fn must(file: &'static str, value: impl ToString) -> Write {
    Write { file, value: value.to_string(), may_be_missing: false }
}

fn may(file: &'static str, value: impl ToString) -> Write {
    Write { file, value: value.to_string(), may_be_missing: true }
}

/// Unified hierarchy (Documentation/admin-guide/cgroup-v2.rst). With `whole_kill` a group that lacks memory dies whole,
/// as Kubernetes has it for containers.
pub fn v2(limits: &Resources, whole_kill: bool) -> Vec<Write> {
    let mut writes = Vec::new();
    if let Some(bytes) = limits.memory_bytes {
        writes.extend([must("memory.max", bytes), may("memory.swap.max", 0)]);
    }
    if whole_kill {
        writes.push(may("memory.oom.group", 1));
    }
    if let Some(milli) = limits.cpu_milli {
        writes.push(must("cpu.max", format!("{} {PERIOD}", quota(milli))));
    }
    if let Some(milli) = limits.cpu_request_milli {
        // From the v1 scale of 2..=262144 to 1..=10000, as Kubernetes converts it.
        writes.push(must("cpu.weight", 1 + (shares(milli) - 2) * 9_999 / 262_142));
    }
    if let Some(pids) = limits.pids {
        writes.push(must("pids.max", pids));
    }
    writes
}

/// One hierarchy of v1.
pub fn v1(limits: &Resources, controllers: &[String]) -> Vec<Write> {
    let mut writes = Vec::new();
    for controller in controllers {
        match controller.as_str() {
            "memory" => {
                if let Some(bytes) = limits.memory_bytes {
                    writes.extend([must("memory.limit_in_bytes", bytes), may("memory.memsw.limit_in_bytes", bytes)]);
                }
            }
            "cpu" => {
                if let Some(milli) = limits.cpu_milli {
                    writes.extend([must("cpu.cfs_period_us", PERIOD), must("cpu.cfs_quota_us", quota(milli))]);
                }
                if let Some(milli) = limits.cpu_request_milli {
                    writes.push(must("cpu.shares", shares(milli)));
                }
            }
            "pids" => writes.extend(limits.pids.map(|pids| must("pids.max", pids))),
            _ => {}
        }
    }
    writes
}

// The kernel takes no quota below a millisecond.
fn quota(milli: u64) -> u64 {
    (milli.saturating_mul(PERIOD) / 1000).max(1000)
}

fn shares(milli: u64) -> u64 {
    (milli.saturating_mul(1024) / 1000).clamp(2, 262_144)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_as_kubernetes_does() {
        let limits = Resources { cpu_milli: Some(200), cpu_request_milli: Some(1000), memory_bytes: Some(64), pids: Some(5), oom_score: 0 };
        let unified = v2(&limits, true);
        assert!(unified.contains(&must("cpu.max", "20000 100000")) && unified.contains(&must("cpu.weight", 39)), "{unified:?}");
        assert_eq!(
            v1(&limits, &["cpu".to_owned()]),
            [must("cpu.cfs_period_us", 100_000), must("cpu.cfs_quota_us", 20_000), must("cpu.shares", 1024)]
        );
        assert_eq!(quota(1), 1000);
        assert_eq!(shares(0), 2);
    }
}
