//! Runners and servers killed in the middle of everything.

use super::pipeline::{Pipeline, commit, git, here, of_git};
use super::place::until;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A folder with a project whose only stage is a test, gone at its end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(test: &str, command: &str) -> Option<Self> {
        if !std::process::Command::new("git").arg("--version").output().is_ok_and(|output| output.status.success()) {
            println!("skipped: no `git`");
            return None;
        }
        let folder = std::env::temp_dir().join(format!("wharf-ci-{test}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("project")).expect("made");
        let settings = format!("project: tiny\ntests:\n  one: {}\nci: {{ runs: [ {{ stages: [test] }} ] }}\n", json!(command));
        std::fs::write(folder.join("project/wharf.yaml"), settings).expect("written");
        git(&folder.join("project"), &["init", "--quiet", "-b", "main", "."]);
        Some(Self(folder))
    }

    pub fn project(&self) -> PathBuf {
        self.0.join("project")
    }

    pub fn home(&self) -> PathBuf {
        self.0.join("home")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn a_runner_killed_in_the_middle_of_a_run_is_replaced_once() {
    let proof = std::env::temp_dir().join(format!("wharf-ci-proof-{}", std::process::id()));
    let _ = std::fs::remove_file(&proof);
    let Some(folder) = Folder::new("runner", &format!("sh -c 'echo begin >> {0}; sleep 4; echo end >> {0}'", proof.display())) else {
        return;
    };
    let home = folder.home();
    let start = |arguments: &[&str]| here(&home, arguments);
    let pipeline = Pipeline::begin(folder.home(), &start, 0, "3s");
    commit(&folder.project(), "one");
    git(&folder.project(), &["push", "--quiet", &pipeline.remote("tiny"), "main"]);
    let first = pipeline.runner("first");
    until("the test begins", Duration::from_secs(30), || !lines(&proof).is_empty());
    let _second = pipeline.runner("second");
    drop(first);
    until("the run ends", Duration::from_secs(60), || pipeline.runs().iter().any(|run| !run["ended"].is_null()));
    let run = pipeline.get("/api/runs/1").expect("a run");
    assert_eq!((&run["state"], &run["attempt"], &run["runner"]), (&json!("passed"), &json!(2), &json!("second")), "{run:#}");
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(lines(&proof), ["begin", "begin", "end"], "the first one's test was ended with it");
    assert_eq!(pipeline.runs().len(), 1);
    let _ = std::fs::remove_file(&proof);
}

/// Pseudo-random waits, the same each time.
struct Waits(u64);

impl Waits {
    fn next(&mut self, most: u64) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((self.0 >> 33) % most)
    }
}

#[test]
fn a_server_killed_again_and_again_loses_no_push_no_run_and_no_line() {
    let Some(folder) = Folder::new("server", "sh -c 'for i in $(seq 500); do echo line $i; done; sleep 0.3'") else { return };
    let home = folder.home();
    let start = |arguments: &[&str]| here(&home, arguments);
    let mut pipeline = Pipeline::begin(folder.home(), &start, 0, "10s");
    let _runner = pipeline.runner("only");
    let (mut waits, mut acknowledged) = (Waits(7), Vec::new());
    for round in 0..10 {
        // What has not changed is not tested again.
        std::fs::write(folder.project().join("round"), round.to_string()).expect("written");
        let id = commit(&folder.project(), &format!("change {round}"));
        let mut push = of_git(&folder.project(), &["push", "--quiet", &pipeline.remote("tiny"), "main"]).spawn().expect("git runs");
        // In one round before, in another one after the push was taken, and anywhere in its run.
        std::thread::sleep(waits.next(if round % 2 == 0 { 250 } else { 1500 }));
        pipeline.kill_and_start(&start);
        if push.wait().expect("git ended").success() {
            acknowledged.push(id);
        }
    }
    git(&folder.project(), &["push", "--quiet", &pipeline.remote("tiny"), "HEAD:main"]);
    acknowledged.push(git(&folder.project(), &["rev-parse", "HEAD"]));
    until("all runs end", Duration::from_secs(120), || pipeline.runs().iter().all(|run| !run["ended"].is_null()));
    let runs = pipeline.runs();
    let commits: Vec<&Value> = runs.iter().map(|run| &run["commit"]["id"]).collect();
    println!("{} pushes acknowledged, {} runs", acknowledged.len(), runs.len());
    for id in &acknowledged {
        assert!(commits.contains(&&json!(id)), "{id} was acknowledged and has no run: {commits:?}");
    }
    let mut once = commits.clone();
    once.dedup();
    assert_eq!(once.len(), commits.len(), "a commit began two runs");
    let whole: Vec<String> = (1..=500).map(|number| format!("line {number}")).collect();
    for run in &runs {
        assert_eq!((&run["state"], &run["attempt"]), (&json!("passed"), &json!(1)), "{run:#}");
        let log = pipeline.get(&format!("/api/runs/{}/log/test?limit=9999", run["id"])).expect("a log");
        let lines: Vec<&str> = log["lines"].as_array().expect("lines").iter().filter_map(Value::as_str).collect();
        let own: Vec<&str> = lines.into_iter().filter(|line| line.starts_with("line ")).collect();
        assert_eq!(own, whole, "run {}", run["id"]);
    }
}
