//! Power cuts while the engine writes: what was acknowledged is there afterwards, and the next `up` is whole.

use super::Long;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(super) const TEST: Long = Long {
    name: "power-cut",
    usage: "[--wharf FILE] [CUTS]",
    about: "5 power cuts, or CUTS, in a virtual machine while ConfigMaps are created, replaced and deleted through the engine and, every\n\
        other time, a project is brought up: after each the engine starts again, nothing that was acknowledged is lost, and `wharf up`\n\
        is whole. Needs root, kubectl and the workbench's vm/run.sh and bases",
    run,
};

/// What runs inside, where this project lies.
const SCRIPT: &str = "xtask/src/long/power_cut/inside.sh";
/// The longest that a machine takes for a part, in seconds.
const LIMIT: u64 = 600;
/// Milliseconds from the first write that was acknowledged to the cut: one round after the other.
const MOMENTS: [u64; 7] = [300, 1_700, 3_600, 6_500, 11_000, 2_300, 8_400];

fn run(arguments: &[String]) -> Result<(), String> {
    let (wharf, rest) = super::program(arguments)?;
    let cuts = rest.first().map_or(Ok(5), |text| text.parse::<usize>()).map_err(|_| "CUTS is a number".to_owned())?;
    let wharf = wharf.map_or_else(crate::product::built, Ok)?;
    let (root, bases) = (crate::root(), super::bases()?);
    let folders = [Some(root.as_path()), Some(bases.as_path()), wharf.parent()];
    let machine = Machine {
        script: super::shared("vm/run.sh")?,
        shares: super::shares(&folders.into_iter().flatten().collect::<Vec<_>>()),
        wharf,
        base: bases.join("busybox_stable.tar"),
        acknowledged: std::env::temp_dir().join(format!("wharf-power-{}", std::process::id())),
        disk: std::env::temp_dir().join(format!("wharf-power-{}.img", std::process::id())),
    };
    std::fs::create_dir_all(&machine.acknowledged).map_err(|error| format!("cannot make {}: {error}", machine.acknowledged.display()))?;
    let done = rounds(&machine, cuts);
    if done.is_ok() {
        let _ = std::fs::remove_dir_all(&machine.acknowledged);
        let _ = std::fs::remove_file(&machine.disk);
    } else {
        println!("kept: {} and {}", machine.disk.display(), machine.acknowledged.display());
    }
    done
}

fn rounds(machine: &Machine, cuts: usize) -> Result<(), String> {
    machine.well("prepare", 0)?;
    let (mut known, mut acknowledged) = (Known::default(), 0);
    for (round, moment) in (1..=cuts).zip(MOMENTS.iter().cycle()) {
        let count = known.acknowledge(&machine.cut(round, Duration::from_millis(*moment))?);
        let lost = known.compare(&machine.well("look", round)?);
        println!("cut {round}, {moment} ms after the first write: {count} acknowledged, {} lost, `wharf up` is whole", lost.len());
        if !lost.is_empty() {
            return Err(format!("lost: {}", lost.join("; ")));
        }
        acknowledged += count;
    }
    println!("{cuts} power cuts, {acknowledged} writes acknowledged, 0 lost");
    Ok(())
}

struct Machine {
    script: PathBuf,
    wharf: PathBuf,
    base: PathBuf,
    disk: PathBuf,
    shares: Vec<OsString>,
    /// Where the machine notes what was acknowledged, outside of itself.
    acknowledged: PathBuf,
}

impl Machine {
    fn command(&self, part: &str, round: usize) -> Command {
        let mut command = Command::new(&self.script);
        command.arg("--disk").arg(format!("{}:2048", self.disk.display())).args(["--timeout", &LIMIT.to_string()]).args(&self.shares);
        command.arg("--share").arg(&self.acknowledged);
        command
            .args(["--", "sh"])
            .arg(crate::root().join(SCRIPT))
            .args([part, &round.to_string()])
            .arg(&self.wharf)
            .arg(&self.base)
            .arg(&self.acknowledged);
        command
    }

    fn well(&self, part: &str, round: usize) -> Result<String, String> {
        let output = self.command(part, round).output().map_err(|error| error.to_string())?;
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(told) } else { Err(format!("{part} of cut {round}: {}\n{told}{error}", output.status)) }
    }

    /// Cuts the power this long after the first write was acknowledged; what was told until then.
    fn cut(&self, round: usize, moment: Duration) -> Result<String, String> {
        // What the machine writes there is there at once: no acknowledgement can be overlooked.
        let told = self.acknowledged.join(format!("cut-{round}"));
        let mut command = self.command("write", round);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(|error| error.to_string())?;
        let begun = Instant::now();
        while std::fs::metadata(&told).map_or(0, |told| told.len()) == 0 && begun.elapsed() < Duration::from_secs(LIMIT) {
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(moment);
        let emulator = children(child.id()).into_iter().find(|(_, name)| name.starts_with("qemu"));
        let (emulator, _) = emulator.ok_or_else(|| format!("cut {round}: the machine ended by itself"))?;
        super::call(Command::new("kill").args(["-KILL", &emulator]))?;
        let _ = child.wait();
        let told = std::fs::read_to_string(&told).map_err(|error| format!("cut {round}: no write was acknowledged: {error}"))?;
        if told.is_empty() { Err(format!("cut {round}: no write was acknowledged")) } else { Ok(told) }
    }
}

/// The processes that a process has started, with their names.
fn children(process: u32) -> Vec<(String, String)> {
    let list = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    let name = |id: &str| std::fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
    list.split_whitespace().map(|id| (id.to_owned(), name(id))).collect()
}

/// What the engine has acknowledged.
#[derive(Default)]
struct Known {
    /// Objects that must be there, with the least that they may hold.
    there: BTreeMap<String, u64>,
    /// Objects that must be gone.
    gone: BTreeSet<String>,
    /// Objects that a round deletes one after the other: the deletion of one of them may have been under way.
    open: BTreeSet<String>,
}

impl Known {
    /// Takes in what kubectl printed; how many writes that are.
    fn acknowledge(&mut self, told: &str) -> usize {
        // A line that the cut has torn acknowledges nothing.
        let whole = told.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().filter(|line| self.line(line).is_some()).count()
    }

    fn line(&mut self, line: &str) -> Option<()> {
        if let Some(name) = line.strip_prefix("configmap/").and_then(|rest| rest.strip_suffix(" created")) {
            self.there.insert(name.to_owned(), 0);
        } else if let Some(name) = line.strip_prefix("configmap/").and_then(|rest| rest.strip_suffix(" replaced")) {
            *self.there.entry(name.to_owned()).or_default() += 1;
        } else {
            let name = line.strip_prefix("configmap \"")?.split_once("\" deleted")?.0;
            self.there.remove(name);
            self.gone.insert(name.to_owned());
        }
        Some(())
    }

    /// What is lost in a listing of `object NAME NUMBER`, which is the truth from now on.
    fn compare(&mut self, listing: &str) -> Vec<String> {
        let found: BTreeMap<&str, u64> = listing.lines().filter_map(object).collect();
        let (mut lost, mut under_way) = (Vec::new(), 1);
        for (name, least) in &self.there {
            match found.get(name.as_str()) {
                Some(number) if number >= least => {}
                Some(number) => lost.push(format!("{name} holds {number}, acknowledged was {least}")),
                None if under_way > 0 && self.open.contains(name) => under_way -= 1,
                None => lost.push(format!("{name} is gone")),
            }
        }
        lost.extend(self.gone.iter().filter(|name| found.contains_key(name.as_str())).map(|name| format!("{name} is back")));
        self.there = found.into_iter().map(|(name, number)| (name.to_owned(), number)).collect();
        self.open = self.there.keys().filter(|name| name.starts_with("c-")).cloned().collect();
        lost
    }
}

fn object(line: &str) -> Option<(&str, u64)> {
    let (name, number) = line.strip_prefix("object ")?.split_once(' ')?;
    Some((name, number.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_seen() {
        let mut known = Known::default();
        let told = "configmap/c-1-1 created\nconfigmap/c-1-2 created\nconfigmap/counter created\nconfigmap/counter replaced\n\
            configmap/counter replaced\nconfigmap \"d-1\" deleted from cuts namespace\nconfigmap/c-1-3 crea";
        assert_eq!(known.acknowledge(told), 6);
        let lost = known.compare("object c-1-1 0\nobject counter 1\nobject d-1 0\n");
        assert_eq!(lost, ["c-1-2 is gone", "counter holds 1, acknowledged was 2", "d-1 is back"]);
    }

    #[test]
    fn what_was_under_way_may_be_either() {
        let mut known = Known::default();
        known.acknowledge("configmap/c-1-1 created\nconfigmap/c-1-2 created\nconfigmap/counter replaced\n");
        assert!(known.compare("object c-1-1 1\nobject c-1-2 2\nobject c-1-3 3\nobject counter 2\n").is_empty());
        known.acknowledge("configmap \"c-1-1\" deleted from cuts namespace\n");
        assert!(known.compare("object c-1-3 3\nobject counter 2\n").is_empty(), "one deletion was under way");
        known.acknowledge("configmap/c-2-1 created\nconfigmap/c-2-2 created\n");
        assert_eq!(known.compare("object c-2-1 1\n"), ["c-2-2 is gone", "counter is gone"], "c-1-3 may have been deleted");
    }
}
