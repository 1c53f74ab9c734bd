//! What the engine costs while nobody wants anything from it.

use super::Bench;
use super::project::Project;
use super::site::Site;
use std::time::Duration;

pub(super) const BENCH: Bench = Bench {
    name: "idle",
    about: "memory (PSS), processor time and voluntary context switches of all our processes over 60 s, with examples/jobs up; the\n\
        services' own processes are not counted. No peer is run",
    run,
};

const SETTLE: Duration = Duration::from_secs(10);
const SPAN: Duration = Duration::from_secs(60);
/// `USER_HZ`, which is 100 in every Linux on x86-64.
const TICKS_A_SECOND: f64 = 100.0;

fn run(site: &Site) -> Result<(), String> {
    let project = Project::up(site)?;
    std::thread::sleep(SETTLE);
    let before = project.processes()?;
    let used: Vec<_> = before.iter().map(|(id, _)| (ticks(*id), switches(*id))).collect();
    std::thread::sleep(SPAN);
    let (mut memory, mut time, mut wakes) = (0, 0, 0);
    for ((id, role), (old_ticks, old_switches)) in before.iter().zip(used) {
        let (kib, used, woken) = (pss_kib(*id), ticks(*id).saturating_sub(old_ticks), switches(*id).saturating_sub(old_switches));
        println!("{:<10} {:>7.1} MB  {:>5.2} %  {:>7.1} switches/s", role, mb(kib), percent(used), a_second(woken));
        (memory, time, wakes) = (memory + kib, time + used, wakes + woken);
    }
    if project.processes()? != before {
        return Err("processes came or went meanwhile: not idle".to_owned());
    }
    let pods = project.list("pods")?.len();
    println!("together, {pods} pods: {:.1} MB PSS, {:.2} % of a core, {:.1} switches/s", mb(memory), percent(time), a_second(wakes));
    Ok(())
}

fn mb(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}

fn percent(ticks: u64) -> f64 {
    ticks as f64 / TICKS_A_SECOND / SPAN.as_secs_f64() * 100.0
}

fn a_second(count: u64) -> f64 {
    count as f64 / SPAN.as_secs_f64()
}

fn number_after(path: &str, word: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(word));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// Of one process; 0 when it is gone.
pub(super) fn pss_kib(id: u32) -> u64 {
    number_after(&format!("/proc/{id}/smaps_rollup"), "Pss:")
}

/// Of all threads.
fn switches(id: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
    threads.map(|thread| number_after(&thread.path().join("status").display().to_string(), "voluntary_ctxt_switches:")).sum()
}

/// User and system time together.
fn ticks(id: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let fields: Vec<&str> = text.rsplit_once(')').map_or("", |(_, after)| after).split_whitespace().collect();
    [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weighs_this_process() {
        let id = std::process::id();
        assert!(pss_kib(id) > 0);
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_millis(50) {
            std::hint::spin_loop();
        }
        assert!(ticks(id) > 0);
    }
}
