//! A project that a run holds: what stands when that is interrupted or killed, and what others are told.

use super::place::{Place, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Child;
use std::time::{Duration, Instant};

/// What a run said until it ended.
pub struct Ended {
    /// Its exit code.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub lines: Vec<Value>,
    /// From the first signal on.
    pub took: Duration,
}

fn pid(child: &Child) -> Pid {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a pid")
}

/// Begins `wharf up`, and interrupts it so many times once `stage` runs and `ready` holds.
pub fn interrupt(place: &Place, stage: &str, times: u32, ready: impl Fn() -> bool) -> Ended {
    let mut child = place.begin(&["up", "--json"]);
    let mut lines = Vec::new();
    let mut out = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut next = || out.next().map(|line| serde_json::from_str::<Value>(&line.expect("a line")).expect("JSON"));
    loop {
        let line = next().unwrap_or_else(|| panic!("it never came to {stage}: {lines:#?}"));
        let here = line["stage"] == stage && line["state"] == "running";
        lines.push(line);
        if here {
            break;
        }
    }
    until("the stage is at work", Duration::from_secs(20), ready);
    let begun = Instant::now();
    for _ in 0..times {
        kill_process(pid(&child), Signal::INT).expect("it runs");
        std::thread::sleep(Duration::from_millis(2));
    }
    lines.extend(std::iter::from_fn(next));
    Ended { code: child.wait().expect("ended").code(), lines, took: begun.elapsed() }
}

/// Code 130, and one sentence that says what stands.
pub fn is_told(ended: &Ended, stage: &str, left: &str) {
    assert_eq!(ended.code, Some(130), "{stage}: {:#?}", ended.lines);
    let error = &ended.lines.last().expect("a line")["error"];
    let message = error["message"].as_str().unwrap_or_default();
    assert_eq!(error["kind"], "interrupted", "{stage}: {:#?}", ended.lines);
    assert!(message.starts_with(&format!("interrupted in {stage}: ")) && message.contains(left), "{message}");
    assert!(ended.took < Duration::from_secs(8), "{stage}: {:?}", ended.took);
}

fn at_work(place: &Place) -> bool {
    let lease = place.command("kubectl", &["get", "lease", "wharf-hold-tiny", "-n", "tiny", "-o", "name"]).output().expect("it runs");
    let pods = place.command("kubectl", &["get", "pods", "-n", "tiny", "-o", "name"]).output().expect("it runs");
    lease.status.success() && !pods.stdout.is_empty()
}

/// Ctrl-C, once and twice, in a deploy that does not get on, and once in its checks.
pub fn interrupted(place: &Place) {
    let manifest = place.project().join("k8s/web.yaml");
    let good = std::fs::read_to_string(&manifest).expect("read");
    std::fs::write(&manifest, good.replace("path: /,", "path: /nope,")).expect("written");
    for times in [1, 2] {
        is_told(&interrupt(place, "deploy", times, || at_work(place)), "deploy", "`wharf up` completes it");
    }
    // Nobody clears a lock: the run that had the project is dead.
    std::fs::write(&manifest, &good).expect("written");
    place.well(&["up"]);
    let settings = place.project().join("wharf.yaml");
    let checks = std::fs::read_to_string(&settings).expect("read");
    std::fs::write(&settings, checks.replace("hello one", "hello two")).expect("written");
    let before = place.kubectl(&["get", "deployment", "web", "-n", "tiny", "-o", "jsonpath={.spec}"]);
    is_told(&interrupt(place, "smoke", 1, || true), "smoke", "`wharf smoke` checks it");
    assert_eq!(place.kubectl(&["get", "deployment", "web", "-n", "tiny", "-o", "jsonpath={.spec}"]), before);
    std::fs::write(&settings, checks).expect("written");
    assert!(place.well(&["up", "--json"]).contains("\"unchanged\":true"));
    assert!(place.kubectl(&["get", "leases", "-n", "tiny", "-o", "name"]).is_empty(), "nothing is held");
}

/// A release that was never checked to the end is on trial still in the next run: it goes back when it is no good.
pub fn unchecked(place: &Place) {
    let page = place.project().join("www/index.html");
    let good = std::fs::read_to_string(&page).expect("read");
    std::fs::write(&page, good.replace("hello", "sorry")).expect("written");
    is_told(&interrupt(place, "smoke", 1, || true), "smoke", "`wharf smoke` checks it");
    let out = place.wharf(&["up"]);
    let told = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.code() == Some(1) && told.contains("serves again"), "{told}");
    std::fs::write(&page, good).expect("written");
    place.well(&["up"]);
}

/// Whoever comes second is told who is at it; what a killed run held is free at once.
pub fn two_at_once(place: &Place) {
    let manifest = place.project().join("k8s/web.yaml");
    let good = std::fs::read_to_string(&manifest).expect("read");
    std::fs::write(&manifest, good.replace("path: /,", "path: /nope,")).expect("written");
    let mut first = place.begin(&["up"]);
    until("the first deploys", Duration::from_secs(20), || at_work(place));
    std::fs::write(&manifest, good).expect("written");
    for command in ["up", "deploy", "down"] {
        let begun = Instant::now();
        let refused = place.wharf(&[command]);
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(3), "{said}");
        let line = said.lines().find(|line| line.starts_with("error: ")).expect("an error");
        assert!(line.contains("another run deploys the project `tiny`") && line.contains(&format!("process {}", first.id())), "{line}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
    first.kill().expect("killed");
    first.wait().expect("ended");
    place.well(&["up"]);
}
