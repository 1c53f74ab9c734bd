//! Ctrl-C in every stage: exit code 130, one sentence, nothing left behind, and the next run mends all.

use super::held::{self, interrupt, is_told};
use super::place::{Place, place};
use std::path::{Path, PathBuf};

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
    assert!(sleeping(&first).is_empty() && sleeping(&second).is_empty(), "a stray process");
    is_told(&interrupt(&place, "test", 2, both), "test", "nothing was built or deployed");
    assert!(sleeping(&first).is_empty() && sleeping(&second).is_empty(), "a stray process");

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
    held::interrupted(&place);
    held::unchecked(&place);
    place.well(&["down", "--volumes"]);
}

#[test]
fn the_second_of_two_deploys_is_refused_by_name_until_the_first_is_killed() {
    let Some(place) = place("hold") else { return };
    held::two_at_once(&place);
    place.well(&["down", "--volumes"]);
}
