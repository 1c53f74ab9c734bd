//! Who holds a project: a process that a person can find, and that another run on the same machine can see alive or dead.

use k8s::{Fields, Value};
use serde::{Deserialize, Serialize};

/// A process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Whose it is.
    pub user: String,
    /// Its machine's name.
    pub host: String,
    /// Its number there.
    pub pid: u32,
    /// When it was started, in ticks since the machine's: a number that is used again is told by it.
    pub started: u64,
    /// The machine's boot and the process's pid namespace: only there does the number mean anything.
    pub machine: String,
    /// Which run of the process, for one may have several.
    pub run: String,
}

impl Holder {
    /// This process, of the user named.
    pub fn this_process(user: impl Into<String>) -> Self {
        let pid = std::process::id();
        let host = read("/proc/sys/kernel/hostname").unwrap_or_else(|| "an unnamed host".to_owned());
        Self { user: user.into(), host, pid, started: started(pid).unwrap_or(0), machine: machine(), run: base::ids::suffix(10) }
    }

    /// As a Lease names it.
    pub fn identity(&self) -> String {
        format!("{}@{} process {}", self.user, self.host, self.pid)
    }

    /// Whether it lives; unknown where it is on another machine.
    pub fn lives(&self) -> Option<bool> {
        (!self.machine.is_empty() && self.machine == machine()).then(|| started(self.pid) == Some(self.started))
    }

    /// The holder that a Lease names.
    pub(super) fn of(lease: &Value) -> Option<Self> {
        serde_json::from_str(lease.annotation(super::HOLDER)?).ok()
    }
}

fn machine() -> String {
    let boot = read("/proc/sys/kernel/random/boot_id");
    let numbers = std::fs::read_link("/proc/self/ns/pid").ok().map(|link| link.display().to_string());
    boot.zip(numbers).map(|(boot, numbers)| format!("{boot} {numbers}")).unwrap_or_default()
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

// The name in brackets may hold anything, brackets too; the start is the twentieth field after it (proc_pid_stat(5)). One
// that has ended and was not waited for does nothing any more.
fn started(pid: u32) -> Option<u64> {
    let stat = read(&format!("/proc/{pid}/stat"))?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_seen_alive_dead_or_elsewhere() {
        let own = Holder::this_process("me");
        assert!(own.started > 0 && own.identity().starts_with("me@"), "{own:?}");
        assert_eq!(own.lives(), Some(true));
        assert_eq!(Holder { started: own.started + 1, ..own.clone() }.lives(), Some(false), "another process of that number");
        assert_eq!(Holder { machine: "elsewhere".to_owned(), ..own }.lives(), None);
        let mut child = std::process::Command::new("true").spawn().expect("started");
        let other = Holder { pid: child.id(), started: started(child.id()).unwrap_or(1), ..Holder::this_process("me") };
        child.wait().expect("ended");
        assert_eq!(other.lives(), Some(false));
    }
}
