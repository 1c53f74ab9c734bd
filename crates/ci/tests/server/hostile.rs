//! What nobody asked for: endless bodies, names that are commands, repositories that reach out.

use super::place::{git, place};
use ci::{Known, RunState, StageState};
use std::os::unix::fs::{PermissionsExt, symlink};

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_of_100_megabytes_is_refused_without_being_read() {
    let Some(place) = place("large").await else { return };
    let hook = Some(place.secrets().seal(&ci::hook_purpose("app"), "hook secret").expect("sealed"));
    place.server.repositories().add("app", &Known { hook, ..Known::default() }).await.expect("added");
    let before = memory();
    let body = vec![b' '; 100 << 20];
    let made = memory();
    let (mut status, begun) = (0, std::time::Instant::now());
    // The server may close the connection while it is still written to.
    let headers = format!("POST /hooks/app HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n", body.len());
    if let Ok(mut stream) = tokio::net::TcpStream::connect(place.url.trim_start_matches("http://")).await {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut read, mut write) = stream.split();
        let mut answer = [0; 12];
        let sending = async { write.write_all(headers.as_bytes()).await.and(write.write_all(&body).await) };
        let (_, got) = tokio::join!(tokio::time::timeout(std::time::Duration::from_secs(10), sending), read.read_exact(&mut answer));
        if got.is_ok() {
            status = std::str::from_utf8(&answer[9..]).expect("ASCII").parse().expect("a status");
        }
    }
    assert_eq!(status, 413);
    assert!(begun.elapsed() < std::time::Duration::from_secs(15), "{:?}", begun.elapsed());
    assert!(memory().saturating_sub(made) < 32 << 10, "{} -> {} -> {} KiB", before, made, memory());
    assert_eq!(place.hook("nothing", &[], b"{}").await, 403);
}

/// Resident memory of this process in KiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.split_ascii_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_named_like_a_command_is_a_name() {
    let Some(place) = place("name").await else { return };
    place.runner("r1");
    let repository = place.clone_of("web");
    repository.write("job.sh", "touch here; printf '%s\\n' \"$WHARF_CI_BRANCH\"\n");
    repository.commit("main");
    for (number, branch) in ["$(reboot)", "`touch${IFS}x`", "a;touch${IFS}y", "-x", "<script>alert(1)</script>"].into_iter().enumerate() {
        let (done, said) = repository.try_push(branch).await;
        assert!(done, "{branch}: {said}");
        let run = place.ended(number as u64 + 1).await;
        assert_eq!((run.state, run.branch.as_str()), (RunState::Passed, branch), "{run:?}");
        let lines = place.runs().log(run.id, "checkout", 0, 9).expect("a log").lines;
        assert_eq!(lines, [branch]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn links_out_of_the_tree_are_refused_hooks_do_nothing_and_submodules_are_told() {
    let Some(place) = place("links").await else { return };
    place.runner("r1");
    let repository = place.clone_of("web");
    let proof = place.folder.join("proof");
    repository.write("job.sh", "echo done\n");
    repository.write(".gitmodules", "[submodule \"x\"]\n\tpath = x\n\turl = http://127.0.0.1:1/x.git\n");
    for hook in ["hooks/post-receive", ".githooks/post-checkout", "hooks/post-checkout"] {
        repository.write(hook, &format!("#!/bin/sh\ntouch {}\n", proof.display()));
        std::fs::set_permissions(repository.folder().join(hook), std::fs::Permissions::from_mode(0o755)).expect("set");
    }
    repository.write(".gitattributes", "* filter=evil\n");
    repository.push("main").await;
    let run = place.ended(1).await;
    assert_eq!(run.state, RunState::Passed, "{run:?}");
    assert_eq!(run.stages[0].findings[0].rule, "submodules");
    symlink("/etc/passwd", repository.folder().join("password")).expect("linked");
    symlink("../../..", repository.folder().join("up")).expect("linked");
    symlink("job.sh", repository.folder().join("fine")).expect("linked");
    repository.push("main").await;
    let run = place.ended(2).await;
    let files: Vec<_> = run.stages[0].findings.iter().filter_map(|finding| finding.place.file.as_deref()).collect();
    assert_eq!((run.state, run.stages[0].state, files), (RunState::Failed, StageState::Failed, vec!["password", "up"]));
    assert_eq!(run.cause.expect("a cause").exit_code, 1);
    assert!(!proof.exists(), "a hook was run");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shallow_push_and_a_shallow_origin_are_refused() {
    let Some(place) = place("shallow").await else { return };
    let repository = place.clone_of("web");
    for number in 0..3 {
        repository.write("x", &number.to_string());
        repository.commit("main");
    }
    let shallow = place.elsewhere("shallow");
    git(shallow.folder(), &["fetch", "--quiet", "--depth=1", &format!("file://{}", repository.folder().display()), "main"]);
    git(shallow.folder(), &["reset", "--quiet", "--hard", "FETCH_HEAD"]);
    let url = format!("{}/git/other.git", place.url.replace("://", &format!("://me:{}@", place.admin)));
    let output = std::process::Command::new("git")
        .current_dir(shallow.folder())
        .args(["push", &url, "HEAD:refs/heads/main"])
        .output()
        .expect("git runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("shallow"), "{said}");
    place.server.repositories().add("mirror", &Known::default()).await.expect("added");
    let fetched = place.server.repositories().fetch("mirror", shallow.folder().to_str().expect("UTF-8"), None).await;
    assert!(fetched.is_err_and(|error| error.to_string().contains("shallow")), "a shallow origin");
    assert!(place.runs().list(&ci::Filter::default(), None, 9).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_a_gigabyte_costs_its_limit() {
    let Some(place) = place("gigabyte").await else { return };
    place.runner("r1");
    let repository = place.clone_of("web");
    let flood = "echo '{\"stage\":\"test\",\"state\":\"running\"}'\nyes 0123456789012345678901234567890123456789012345678901234567890123456789 | head -c 1000000000\necho\n";
    repository
        .write("job.sh", &format!("{flood}echo '{{\"stage\":\"test\",\"state\":\"done\",\"summary\":\"flooded\",\"milliseconds\":1}}'\n"));
    repository.push("main").await;
    let before = memory();
    let run = place.ended(1).await;
    assert_eq!((run.state, run.stages[1].summary.as_str()), (RunState::Passed, "flooded"));
    let last = place.runs().log(run.id, "test", run.stages[1].lines - 1, 9).expect("a log");
    assert!(last.cut && last.lines[0].contains("left out"), "{last:?}");
    let kept: u64 = place
        .files()
        .iter()
        .filter(|(path, _)| path.extension().is_some_and(|end| end == "log"))
        .map(|(_, content)| content.len() as u64)
        .sum();
    assert!(kept < 3 << 20, "{kept} bytes are kept");
    assert!(memory().saturating_sub(before) < 64 << 10, "{} -> {} KiB", before, memory());
}
