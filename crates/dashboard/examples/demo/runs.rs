//! Made-up runs: what goes well, what fails, and what is hostile.

use crate::world::{State, now};
use base::{Finding, Place, Severity, Timestamp, ids};
use ci::{Artefact, Cause, Commit, Run, RunId, RunState, StageRun, StageState, Trigger};
use delivery::rollout::PodSeen;
use serde_json::{Value, json};
use std::time::Duration;

pub const STAGES: [&str; 11] = ["checkout", "lint", "test", "build", "scan", "check", "push", "plan", "deploy", "smoke", "load"];
const TIMES: [u64; 11] = [212, 18, 4_310, 7_820, 402, 2_950, 640, 95, 12_400, 85, 10_020];
pub const HOSTILE: &str = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\u{202e}gnp.exe";

/// Some hex digits that are always the same.
pub fn hex(seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d;
    let bytes: Vec<u8> = (0..32)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect();
    ids::hex(&bytes)
}

pub fn before(seconds: u64) -> Timestamp {
    Timestamp::from_micros(now().micros() - i64::try_from(seconds).unwrap_or_default() * 1_000_000)
}

/// A run that waits, with all its stages.
pub fn begun(id: RunId, repository: &str, branch: &str, subject: &str) -> Run {
    Run {
        id,
        repository: repository.into(),
        project: ci::ProjectFolder::default(),
        branch: branch.into(),
        environment: "local".into(),
        commit: Commit { id: hex(id.0)[..40].into(), author: "Ada Berg".into(), subject: subject.into() },
        trigger: Trigger::Push { by: "ada".into() },
        state: RunState::Queued,
        attempt: 1,
        runner: None,
        created: now(),
        began: None,
        ended: None,
        stages: STAGES.iter().map(|name| StageRun::waiting(*name)).collect(),
        cause: None,
        urls: Vec::new(),
        release: None,
        artefacts: Vec::new(),
    }
}

/// A run that went well, some time ago.
fn passed(id: u64, subject: &str, seconds_ago: u64) -> Run {
    let mut run = begun(
        RunId(id),
        if id.is_multiple_of(3) { "jobs" } else { "request-info" },
        if id.is_multiple_of(4) { "release/2.4" } else { "main" },
        subject,
    );
    run.created = before(seconds_ago);
    run.began = Some(run.created.plus(Duration::from_millis(300)));
    run.state = RunState::Passed;
    run.runner = Some("runner-1".into());
    let mut whole = 300;
    for (at, stage) in run.stages.iter_mut().enumerate() {
        let ms = TIMES[at] * (80 + (id * 7 + at as u64 * 13) % 40) / 100;
        (stage.state, stage.milliseconds, stage.began) = (StageState::Done, Some(ms), Some(run.created.plus(Duration::from_millis(whole))));
        whole += ms;
    }
    run.ended = Some(run.created.plus(Duration::from_millis(whole)));
    run.release = Some(hex(id + 500)[..12].into());
    run
}

/// The stage fails, and what comes after it is left out.
pub fn fail(run: &mut Run, stage: &str, summary: &str, cause: &str, hint: &str) {
    let at = run.stages.iter().position(|one| one.name == stage).unwrap_or_default();
    for later in run.stages.iter_mut().skip(at + 1) {
        *later = StageRun { state: StageState::Skipped, ..StageRun::waiting(later.name.clone()) };
    }
    (run.stages[at].state, run.stages[at].summary) = (StageState::Failed, summary.into());
    run.state = RunState::Failed;
    run.release = None;
    run.cause = Some(Cause { kind: "work".into(), message: cause.into(), hints: vec![hint.into()], exit_code: 1 });
}

fn stage<'a>(run: &'a mut Run, name: &str) -> &'a mut StageRun {
    run.stages.iter_mut().find(|stage| stage.name == name).expect("one of the stages")
}

pub fn fill(state: &mut State) {
    let subjects = [
        "Show which release answered",
        "Trust X-Forwarded-For from the proxy only",
        "Raise the base image",
        "Count events by name",
        "Smaller image",
    ];
    for id in 1..=26 {
        let mut run = passed(id, subjects[id as usize % subjects.len()], (34 - id) * 4_000);
        match id {
            5 | 13 => stage(&mut run, "scan").state = StageState::Warned,
            9 => fail(&mut run, "test", "1 of 48 failed", "test unit: exit code 101", "`cargo test` shows it here, too"),
            17 => run.stages.iter_mut().for_each(|stage| stage.state = StageState::Unchanged),
            _ => {}
        }
        state.runs.insert(run.id, run);
    }
    for run in [lint_failed(27), rolled_back(28), whole(29), lost(30), cancelled(31), hostile(32), compiling(33), running(34)] {
        state.runs.insert(run.id, run);
    }
    state.runs.insert(RunId(35), begun(RunId(35), "request-info", "main", "Queued behind the run before it"));
    logs(state);
}

fn lint_failed(id: u64) -> Run {
    let mut run = passed(id, "Install curl for the health check", 15_000);
    fail(
        &mut run,
        "lint",
        "2 errors, 1 warning in 1 file",
        "lint: 2 errors, 1 warning in 1 file",
        "`wharf explain RULE` says why, and how to mend it",
    );
    let source = |from: u32, lines: &[&str]| {
        lines.iter().enumerate().map(|(at, line)| format!("{} | {line}", from + at as u32)).collect::<Vec<_>>().join("\n")
    };
    let docker = |rule: &str, severity, line, message: &str, help: &str| {
        Finding::new(rule, severity, Place::in_file("Dockerfile", line, 1), message).with_help(help)
    };
    stage(&mut run, "lint").findings = vec![
        docker("DL3006", Severity::Warning, 2, "Always tag the version of an image explicitly", "write `debian:bookworm-slim`")
            .with_evidence(source(1, &["# syntax=docker/dockerfile:1", "FROM debian AS base", "WORKDIR /srv"])),
        docker("DL3000", Severity::Error, 12, "Use absolute WORKDIR", "write `WORKDIR /srv/app`").with_evidence(source(
            10,
            &[
                "COPY --from=build /out/request-info /usr/bin/",
                "",
                "WORKDIR app",
                "RUN useradd --system app \\",
                "    && mkdir -p /srv/app",
            ],
        )),
        docker("SC1070", Severity::Error, 17, "Parsing stopped here: mismatched keywords", "close the `if` with `fi`")
            .with_evidence(source(16, &["USER app", "RUN if [ -f /etc/debian_version ]; then echo yes", "EXPOSE 8080"])),
    ];
    run
}

fn plan() -> Value {
    json!({"objects": [
        {"object": "Deployment request-info/request-info", "change": "changed", "fields": [
            {"path": "spec.template.spec.containers[0].image", "before": "localhost/request-info/web@sha256:1b6fd1f2f1b9", "after": "localhost/request-info/web@sha256:94c0a7e5d210"},
            {"path": "spec.template.spec.containers[0].env[2].value", "before": "info", "after": "debug"},
            {"path": "spec.template.metadata.annotations.note", "before": null, "after": HOSTILE}]},
        {"object": "ConfigMap request-info/settings", "change": "created", "fields": [
            {"path": "data.proxies", "before": null, "after": "10.0.0.0/8"}, {"path": "data.title", "before": null, "after": "What I know of you"}]},
        {"object": "Job request-info/migrate", "change": "pruned", "fields": []},
        {"object": "Service request-info/request-info", "change": "unchanged", "fields": []},
        {"object": "NetworkPolicy request-info/default", "change": "unchanged", "fields": []}]})
}

/// A rollout with so many new pods of four.
pub fn pods(new: usize, bad: bool) -> Value {
    let pods: Vec<PodSeen> = (0..4)
        .map(|at| {
            let is_new = at < new;
            let state = if is_new && bad {
                "CrashLoopBackOff"
            } else if is_new || at > new {
                "Running"
            } else {
                "Terminating"
            };
            PodSeen {
                workload: "Deployment request-info/request-info".into(),
                name: format!("request-info-{}-{}", if is_new { "7d9c5b" } else { "5f6b8d" }, &hex(at as u64 + 70)[..5]),
                newest: is_new,
                node: "wharf".into(),
                ready: state == "Running",
                state: state.into(),
                restarts: if bad && is_new { 3 } else { 0 },
                since: before(20 + at as u64 * 9).rfc3339(),
            }
        })
        .collect();
    json!({"pods": pods, "plan": plan()})
}

fn rolled_back(id: u64) -> Run {
    let mut run = passed(id, "Listen on port 80", 11_500);
    fail(
        &mut run,
        "deploy",
        "rolled back to 1b6fd1f2f1b9",
        "release 94c0a7e5d210 did not serve: Deployment request-info: the new pods end again and again (exit code 1)",
        "`wharf logs request-info` shows what they said",
    );
    stage(&mut run, "deploy").detail = pods(1, true);
    if let Some(cause) = &mut run.cause {
        (cause.kind, cause.exit_code) = ("target".into(), 3);
    }
    run
}

fn whole(id: u64) -> Run {
    let mut run = passed(id, "Show the event parameter, and count it", 8_000);
    stage(&mut run, "plan").detail = json!({"plan": plan()});
    stage(&mut run, "deploy").detail = pods(4, false);
    stage(&mut run, "deploy").summary = "release 94c0a7e5d210: 1 created, 1 changed, 2 unchanged, 1 pruned".into();
    let scan = stage(&mut run, "scan");
    (scan.state, scan.summary, scan.findings) = (StageState::Warned, "4 known of 212 packages, report-only".into(), advisories(0));
    scan.detail = crate::things::scanned();
    stage(&mut run, "build").detail = json!({"images": {"web": {"image": format!("sha256:{}", hex(1)), "steps": 14, "cached": 11, "warnings": ["EXPOSE of a port that nothing listens on"]}}});
    stage(&mut run, "test").detail = json!({"tests": [{"name": "unit", "run": "cargo test --locked", "passed_before": false}, {"name": "docs", "run": "cargo test --doc", "passed_before": true}]});
    stage(&mut run, "check").detail = json!({"checks": [{"image": "web", "target": "lint", "run": "cargo clippy --locked -- --deny warnings", "passed_before": false,
        "said": ["\u{1b}[32;1m    Checking\u{1b}[0m request-info v0.1.0 (/src)", "\u{1b}[32;1m    Finished\u{1b}[0m `dev` profile in 2.41s"]}]});
    stage(&mut run, "smoke").detail = json!({"checks": [{"check": "GET request-info/", "status": 200, "took_ms": 4.2}, {"check": "GET request-info/healthz", "status": 200, "took_ms": 1.1}]});
    let load = stage(&mut run, "load");
    load.summary = "50,112 requests, none failed".into();
    load.detail = json!({"loads": [{"method": "GET", "url": "http://127.0.0.1:32000/", "protocol": "HTTP/1.1", "concurrency": 16, "requests": 50_112, "ok": 50_112, "failed": 0, "retried": 0,
        "seconds": 10.0, "rate": 5_011.2, "p50_us": 2_910.0, "p95_us": 5_800.0, "p99_us": 9_200.0, "max_us": 31_000.0, "verdict": "good"}]});
    run.artefacts = vec![
        artefact("findings.sarif", "application/sarif+json", 18_220),
        artefact("sbom.cdx.json", "application/json", 240_100),
        artefact("junit.xml", "application/xml", 4_012),
    ];
    run.urls = vec![("request-info".into(), "http://127.0.0.1:32000/".into()), ("bad".into(), "javascript:alert(1)".into())];
    run.environment = "production".into();
    run
}

fn artefact(name: &str, media_type: &str, bytes: u64) -> Artefact {
    Artefact { name: name.into(), media_type: media_type.into(), bytes }
}

/// What is known against an image.
pub fn advisories(more: usize) -> Vec<Finding> {
    let place = |package: &str| Place { file: Some("var/lib/dpkg/status".into()), object: Some(package.into()), ..Place::default() };
    let mut found = vec![
        Finding::new(
            "CVE-2026-31337",
            Severity::Error,
            place("libssl3 3.0.15-1~deb12u1"),
            "libssl3: a handshake with a crafted certificate reads beyond its buffer (high, NVD)",
        )
        .with_help("raise libssl3 to 3.0.17-1~deb12u2, or the base `debian:bookworm-slim` to today's"),
        Finding::new(
            "RUSTSEC-2026-0042",
            Severity::Error,
            Place::in_file("Cargo.lock", 812, 1),
            "h2 0.4.5: many resets exhaust memory (high)",
        )
        .with_help("raise h2 to 0.4.11"),
        Finding::new(
            "CVE-2025-4802",
            Severity::Warning,
            place("libc6 2.36-9+deb12u9"),
            "libc6: LD_LIBRARY_PATH is honoured in static programs that call dlopen (medium)",
        )
        .with_help("raise libc6 to 2.36-9+deb12u10"),
        Finding::new(
            "CVE-2011-3374",
            Severity::Info,
            place("apt 2.6.1"),
            "apt: keys are not validated by apt-key (low; Debian will not mend it)",
        ),
    ];
    found.extend((0..more).map(|at| {
        Finding::new(
            format!("CVE-2025-{}", 10_000 + at),
            Severity::Info,
            place(&format!("package-{at} 1.{at}")),
            "Something of little weight",
        )
    }));
    found
}

fn lost(id: u64) -> Run {
    let mut run = passed(id, "Move to the other cluster", 6_000);
    (run.state, run.attempt) = (RunState::Lost, 2);
    fail(
        &mut run,
        "build",
        "",
        "both runners died while they did it: runner-1, runner-2",
        "look at their machines' memory; `wharf ci runner` says what it needs",
    );
    run.state = RunState::Lost;
    run
}

fn cancelled(id: u64) -> Run {
    let mut run = passed(id, "Try another allocator", 5_000);
    fail(&mut run, "check", "", "", "");
    (run.state, run.cause) = (RunState::Cancelled, None);
    stage(&mut run, "check").state = StageState::Skipped;
    run
}

/// Everything in it comes from somebody who means harm.
fn hostile(id: u64) -> Run {
    let mut run = passed(id, HOSTILE, 3_000);
    run.branch = format!("$(reboot)/{HOSTILE}/{}", "very-long-".repeat(30));
    run.commit.author = "\u{202e}nimdA\u{1b}[2J<b>".into();
    run.repository = "request-info".into();
    run.runner = Some(HOSTILE.into());
    run.stages.insert(
        2,
        StageRun {
            summary: HOSTILE.into(),
            ..StageRun { state: StageState::Warned, milliseconds: Some(17), ..StageRun::waiting(HOSTILE) }
        },
    );
    fail(&mut run, "build", HOSTILE, HOSTILE, HOSTILE);
    stage(&mut run, "build").findings = vec![
        Finding::new(HOSTILE, Severity::Error, Place { file: Some(HOSTILE.into()), line: Some(1), ..Place::default() }, HOSTILE)
            .with_help(HOSTILE)
            .with_evidence(format!("1 | LABEL x=\"{HOSTILE}\""))
            .with_evidence("2 | RUN \u{1b}[31mred"),
        Finding::new("x".repeat(3_000), Severity::Warning, Place::default(), "y".repeat(9_000))
            .with_evidence(format!("\u{1b}[31m{HOSTILE}\u{1b}[0m\n").repeat(100)),
    ];
    stage(&mut run, "build").detail =
        json!({HOSTILE: HOSTILE, "pods": [{"workload": HOSTILE, "name": HOSTILE, "state": HOSTILE, "node": HOSTILE}]});
    run.artefacts = vec![artefact(&format!("../{HOSTILE}"), "text/html", 812)];
    run
}

/// A long build with much to say.
fn compiling(id: u64) -> Run {
    let mut run = passed(id, "Vendor the dependencies", 1_500);
    fail(
        &mut run,
        "build",
        "step 9 of 14 ended with exit code 101",
        "build web: `RUN cargo build --release --locked` ended with exit code 101 (Dockerfile:9)",
        "`wharf build --shell` leads into the step that failed",
    );
    stage(&mut run, "build").findings = vec![
        Finding::new("build", Severity::Error, Place::in_file("Dockerfile", 9, 1), "the step ended with exit code 101")
            .with_evidence("error[E0433]: failed to resolve: use of undeclared crate or module `hyper`\n   --> src/main.rs:3:5\n    |\n3   | use hyper::body;\n    |     ^^^^^ use of undeclared crate or module `hyper`"),
    ];
    run
}

fn running(id: u64) -> Run {
    let mut run = begun(RunId(id), "request-info", "main", "Answer in JSON, too");
    run.created = before(9);
    (run.state, run.began, run.runner) = (RunState::Running, Some(before(8)), Some("runner-2".into()));
    for (at, stage) in run.stages.iter_mut().enumerate().take(3) {
        (stage.state, stage.milliseconds, stage.began) = (StageState::Done, Some(TIMES[at]), Some(before(8)));
    }
    let build = &mut run.stages[3];
    (build.state, build.began) = (StageState::Running, Some(before(3)));
    run
}

fn logs(state: &mut State) {
    let colours = [
        "\u{1b}[32;1m   Compiling\u{1b}[0m",
        "\u{1b}[36m  Downloaded\u{1b}[0m",
        "\u{1b}[33;1mwarning\u{1b}[0m: unused",
        "\u{1b}[31;1merror\u{1b}[0m: not really,",
    ];
    let line = |at: usize| {
        format!(
            "{} package-{at} v0.{}.{} (/srv/vendor/package-{at})",
            colours[usize::from(at.is_multiple_of(17)) * 2 + usize::from(at.is_multiple_of(3))],
            at % 13,
            at % 7
        )
    };
    let mut long: Vec<String> = (0..10_000).map(line).collect();
    long[9_990] = format!("{HOSTILE} \u{1b}]0;title\u{7}\u{1b}[2Jcleared");
    long[9_995] = "x".repeat(20_000);
    long[9_999] = "\u{1b}[31;1merror\u{1b}[0m: could not compile `request-info` (bin \"request-info\") due to 1 previous error".into();
    state.logs.insert((RunId(33), "build".into()), long);
    state.logs.insert((RunId(34), "build".into()), (0..40).map(line).collect());
    for id in [27, 28, 29, 32] {
        for name in STAGES {
            state.logs.insert(
                (RunId(id), name.into()),
                vec![format!("{name} begins"), format!("\u{1b}[32m{name} ends\u{1b}[0m"), HOSTILE.into()],
            );
        }
    }
    for ((id, name), lines) in &state.logs {
        if let Some(stage) = state.runs.get_mut(id).and_then(|run| run.stages.iter_mut().find(|stage| stage.name == *name)) {
            stage.lines = lines.len() as u64;
        }
    }
}
