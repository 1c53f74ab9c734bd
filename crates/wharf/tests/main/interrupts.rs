//! Ctrl-C in every stage: exit code 130, one sentence, nothing left behind, and the next run mends all.

use super::place::{Place, place, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

/// What a run said until it ended.
struct Ended {
    code: Option<i32>,
    lines: Vec<Value>,
    took: Duration,
}

fn pid(child: &Child) -> Pid {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a pid")
}

/// Begins `wharf up`, and interrupts it so many times once `stage` runs and `ready` holds.
fn interrupt(place: &Place, stage: &str, times: u32, ready: impl Fn() -> bool) -> Ended {
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

fn is_told(ended: &Ended, stage: &str, left: &str) {
    assert_eq!(ended.code, Some(130), "{stage}: {:#?}", ended.lines);
    let error = &ended.lines.last().expect("a line")["error"];
    let message = error["message"].as_str().unwrap_or_default();
    assert_eq!(error["kind"], "interrupted", "{stage}: {:#?}", ended.lines);
    assert!(message.starts_with(&format!("interrupted in {stage}: ")) && message.contains(left), "{message}");
    assert!(ended.took < Duration::from_secs(8), "{stage}: {:?}", ended.took);
}

/// Processes whose last word is this.
fn sleeping(mark: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path());
    entries
        .filter(|path| std::fs::read(path.join("cmdline")).is_ok_and(|words| words.ends_with(format!("\0{mark}\0").as_bytes())))
        .collect()
}

fn cgroups(process: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(process.join("cgroup")).unwrap_or_default();
    let parts = text.lines().filter_map(|line| line.splitn(3, ':').nth(2)).filter(|path| path.contains("wharf-sandbox"));
    let roots =
        || std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path()).chain(["/sys/fs/cgroup".into()]);
    parts.flat_map(|path| roots().map(move |root| root.join(path.trim_start_matches('/')))).filter(|path| path.exists()).collect()
}

fn mark(of: u32) -> String {
    format!("{}.{}", 4000 + of, std::process::id())
}

#[test]
fn lint_test_and_prepare() {
    let Some(place) = place("ctrl-c-early") else { return };
    let (settings, dockerfile) = (place.project().join("wharf.yaml"), place.project().join("Dockerfile"));
    let good = std::fs::read_to_string(&settings).expect("read");
    let image = std::fs::read_to_string(&dockerfile).expect("read");
    // Nobody writes into it: whoever reads it waits.
    std::fs::remove_file(&dockerfile).expect("removed");
    place.tool("mkfifo", &["Dockerfile"]);
    is_told(&interrupt(&place, "lint", 1, || true), "lint", "nothing was changed");
    std::fs::remove_file(&dockerfile).expect("removed");
    std::fs::write(&dockerfile, &image).expect("written");

    let (first, second) = (mark(1), mark(2));
    // One of them will not hear of its end.
    let tests = format!("tests:\n  slow: \"trap '' TERM; sleep {first} & sleep {second}\"\nsmoke:");
    std::fs::write(&settings, good.replace("smoke:", &tests)).expect("written");
    let both = || !sleeping(&first).is_empty() && !sleeping(&second).is_empty();
    is_told(&interrupt(&place, "test", 1, both), "test", "nothing was built or deployed");
    assert!(sleeping(&first).is_empty() && sleeping(&second).is_empty(), "stray processes");
    is_told(&interrupt(&place, "test", 2, both), "test", "nothing was built or deployed");
    until("no stray process", Duration::from_secs(1), || sleeping(&first).is_empty() && sleeping(&second).is_empty());

    let third = mark(3);
    std::fs::write(&settings, good.replace("context: . }", &format!("context: ., prepare: \"sleep {third}; true\" }}"))).expect("written");
    is_told(&interrupt(&place, "prepare", 1, || !sleeping(&third).is_empty()), "prepare", "nothing was deployed");
    assert!(sleeping(&third).is_empty(), "a stray process");
    std::fs::write(&settings, good).expect("written");
    place.well(&["up"]);
}

#[test]
fn build() {
    let Some(place) = place("ctrl-c-build") else { return };
    let dockerfile = place.project().join("Dockerfile");
    let good = std::fs::read_to_string(&dockerfile).expect("read");
    let slow = mark(4);
    std::fs::write(&dockerfile, good.replace("USER", &format!("RUN sleep {slow}\nUSER"))).expect("written");
    let seen = || (place.tool("ip", &["-brief", "link"]), mounts(&place));
    place.well(&["engine", "start"]);
    let before = seen();
    for times in [1, 2] {
        let groups = std::sync::Mutex::new(Vec::new());
        let at_work = || {
            let found: Vec<PathBuf> = sleeping(&slow).iter().flat_map(|process| cgroups(process)).collect();
            *groups.lock().expect("lock") = found;
            !groups.lock().expect("lock").is_empty()
        };
        is_told(&interrupt(&place, "build", times, at_work), "build", "nothing was deployed");
        if times == 1 {
            assert!(sleeping(&slow).is_empty(), "a stray process");
            let left: Vec<PathBuf> = groups.into_inner().expect("lock").into_iter().filter(|group| group.exists()).collect();
            assert_eq!(left, Vec::<PathBuf>::new());
            assert_eq!(seen(), before);
        }
    }
    // What the impatient one left, the next run removes.
    std::fs::write(&dockerfile, good.replace("USER", "RUN true\nUSER")).expect("written");
    place.well(&["up"]);
    assert!(sleeping(&slow).is_empty(), "a stray process");
}

fn mounts(place: &Place) -> Vec<String> {
    let table = place.tool("cat", &["/proc/self/mounts"]);
    let ours = place.home().join("sandbox");
    table.lines().filter(|line| line.contains(ours.to_str().expect("UTF-8"))).map(str::to_owned).collect()
}

#[test]
fn engine_deploy_and_smoke() {
    let Some(place) = place("ctrl-c-late") else { return };
    let ended = interrupt(&place, "engine", 1, || true);
    // It may be ready before the signal is there.
    let stage = if ended.lines.iter().any(|line| line["stage"] == "deploy") { "deploy" } else { "engine" };
    is_told(&ended, stage, "wharf engine stop");
    let manifest = place.project().join("k8s/web.yaml");
    let good = std::fs::read_to_string(&manifest).expect("read");
    std::fs::write(&manifest, good.replace("path: /,", "path: /nope,")).expect("written");
    for times in [1, 2] {
        is_told(&interrupt(&place, "deploy", times, || at_work(&place)), "deploy", "`wharf up` completes it");
    }
    // Nobody clears a lock: the run that had the project is dead.
    std::fs::write(&manifest, &good).expect("written");
    place.well(&["up"]);
    let settings = place.project().join("wharf.yaml");
    let checks = std::fs::read_to_string(&settings).expect("read");
    std::fs::write(&settings, checks.replace("hello one", "hello two")).expect("written");
    let before = place.kubectl(&["get", "deployment", "web", "-n", "tiny", "-o", "jsonpath={.spec}"]);
    is_told(&interrupt(&place, "smoke", 1, || true), "smoke", "`wharf smoke` checks it");
    assert_eq!(place.kubectl(&["get", "deployment", "web", "-n", "tiny", "-o", "jsonpath={.spec}"]), before);
    std::fs::write(&settings, checks).expect("written");
    assert!(place.well(&["up", "--json"]).contains("\"unchanged\":true"));
    assert!(place.kubectl(&["get", "leases", "-n", "tiny", "-o", "name"]).is_empty(), "nothing is held");
    place.well(&["down", "--volumes"]);
}

fn at_work(place: &Place) -> bool {
    let lease = place.command("kubectl", &["get", "lease", "wharf-hold-tiny", "-n", "tiny", "-o", "name"]).output().expect("it runs");
    let pods = place.command("kubectl", &["get", "pods", "-n", "tiny", "-o", "name"]).output().expect("it runs");
    lease.status.success() && !pods.stdout.is_empty()
}

#[test]
fn the_second_of_two_deploys_is_refused_by_name_until_the_first_is_killed() {
    let Some(place) = place("hold") else { return };
    let manifest = place.project().join("k8s/web.yaml");
    let good = std::fs::read_to_string(&manifest).expect("read");
    std::fs::write(&manifest, good.replace("path: /,", "path: /nope,")).expect("written");
    let mut first = place.begin(&["up"]);
    until("the first deploys", Duration::from_secs(20), || at_work(&place));
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
    place.well(&["down", "--volumes"]);
}
