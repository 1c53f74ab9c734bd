//! What nobody asked for: endless bodies, names that are commands, repositories that reach out.

use super::place::{git, place};
use ci::{Known, RunState, StageState};
use std::os::unix::fs::{PermissionsExt, symlink};

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
async fn a_folder_that_a_killed_git_left_is_made_anew() {
    let Some(place) = place("torn").await else { return };
    place.runner("r1");
    let repository = place.clone_of("web");
    repository.write("job.sh", "echo done\n");
    repository.push("main").await;
    assert_eq!(place.ended(1).await.state, RunState::Passed);
    let lane = std::fs::read_dir(place.folder.join("work/r1")).expect("listed").next().expect("a lane").expect("read").path();
    let git = lane.join("web/.git");
    for (number, lock) in [(2, "HEAD.lock"), (3, "refs/remotes/origin/main.lock"), (4, "config")] {
        std::fs::create_dir_all(git.join(lock).parent().expect("a folder")).expect("made");
        std::fs::write(git.join(lock), "[torn").expect("written");
        repository.write("x", lock);
        repository.push("main").await;
        let run = place.ended(number).await;
        assert_eq!(run.state, RunState::Passed, "{lock}: {run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn submodules_of_the_same_server_are_fetched_and_their_links_looked_at() {
    let Some(place) = place("modules").await else { return };
    let inner = place.clone_of("inner");
    inner.write("file", "1");
    inner.push("main").await;
    symlink("/etc/passwd", inner.folder().join("password")).expect("linked");
    let bad = inner.commit("bad");
    inner.push("bad").await;
    let good = git(inner.folder(), &["rev-parse", "HEAD~1"]);
    let outer = place.clone_of("outer");
    outer.write("wharf.yaml", "submodules\n");
    outer.write("job.sh", "test -f in/file && echo it is there\n");
    outer.write(".gitmodules", "[submodule \"in\"]\n\tpath = in\n\turl = ../inner.git\n");
    place.runner("r1");
    for (number, commit, state) in [(3, good.trim(), RunState::Passed), (4, bad.as_str(), RunState::Failed)] {
        git(outer.folder(), &["add", "-A"]);
        git(outer.folder(), &["update-index", "--add", "--cacheinfo", &format!("160000,{commit},in")]);
        git(outer.folder(), &["commit", "--quiet", "-m", "a change"]);
        let (done, said) = outer.try_push("main").await;
        assert!(done, "{said}");
        let run = place.ended(number).await;
        assert_eq!(run.state, state, "{run:?}");
        if state == RunState::Failed {
            assert_eq!(run.stages[0].findings[0].place.file.as_deref(), Some("in/password"));
        }
    }
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
