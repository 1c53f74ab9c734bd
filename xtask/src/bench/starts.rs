//! Container starts beside crun's.

use super::Bench;
use super::site::{self, Site};
use std::process::Command;

pub(super) const BENCH: Bench = Bench {
    name: "starts",
    about: "`/bin/true` in a container, from the request to its end told: our runtime and `crun run` take turns, 500 times each,\n\
        with the same namespaces, limits, capabilities and filter (crates/runtime/examples/starts.rs)",
    run,
};

const ROUNDS: &str = "500";
/// crun refuses hosts that show it both cgroup versions; it sees the first one only, in a mount namespace of its own.
const HYBRID: &str = "/sys/fs/cgroup/unified";

fn run(site: &Site) -> Result<(), String> {
    site::need(&["busybox", "unshare"])?;
    let rootfs = site.folder().join("rootfs");
    let failed = |error: std::io::Error| format!("cannot make {}: {error}", rootfs.display());
    for folder in ["bin", "dev", "proc", "sys", "tmp", "etc"] {
        std::fs::create_dir_all(rootfs.join(folder)).map_err(failed)?;
    }
    let busybox = site::said(Command::new("sh").args(["-c", "command -v busybox"]))?;
    std::fs::copy(busybox.trim(), rootfs.join("bin/true")).map_err(failed)?;
    let example = site::example("runtime", "starts")?;
    let script = format!("if mountpoint -q {HYBRID}; then umount {HYBRID}; fi; exec \"$@\"");
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script, "starts"]).arg(example).arg(site.wharf()?).arg(&rootfs).arg(ROUNDS);
    let told = site::said(&mut command)?;
    print!("{told}");
    for part in ["p50", "p95", "p99"] {
        match (figure(&told, "wharf: new pod, start", part), figure(&told, "crun run", part)) {
            (Some(ours), Some(theirs)) => println!("crun/wharf {part}: {:.2}", theirs / ours),
            _ => println!("crun/wharf {part}: crun is not here"),
        }
    }
    Ok(())
}

/// The number after a word, in the line that begins so.
fn figure(told: &str, line: &str, word: &str) -> Option<f64> {
    let line = told.lines().find(|told| told.starts_with(line))?;
    line.split_whitespace().skip_while(|part| *part != word).nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::figure;

    #[test]
    fn reads_what_the_example_prints() {
        let told = "wharf: new pod, start to end told     p10   1.00  p50   2.50  p95   3.00  p99   9.00 ms\ncrun run\n";
        assert_eq!(figure(told, "wharf: new pod, start", "p50"), Some(2.5));
        assert_eq!(figure(told, "crun run", "p50"), None);
    }
}
