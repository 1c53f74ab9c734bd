//! Projects in folders of their repository: one or several, pushed or fetched.

use super::place::{place, signature};
use super::{JOB, Known, RunState};
use ci::ProjectFolder;
use std::collections::BTreeSet;

fn folders(paths: &[&str]) -> Vec<ProjectFolder> {
    paths.iter().map(|path| ProjectFolder::parse(path).expect("a folder")).collect()
}

/// Says where it is, what it is told, and leaves a file.
const WHERE: &str = "pwd; echo \"project: $WHARF_CI_PROJECT\"; echo \"arguments: $*\"; echo mine > report.txt\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_project_in_a_folder_has_its_own_settings_and_files() {
    let Some(place) = place("folder").await else { return };
    place.runner("r1");
    let known = Known { projects: folders(&["examples/shop"]), ..Known::default() };
    place.server.repositories().add("web", &known).await.expect("added");
    let repository = place.clone_of("web");
    repository.write("job.sh", "echo this is the root; exit 1\n");
    repository.write("report.txt", "of the root\n");
    repository.write("examples/shop/job.sh", WHERE);
    repository.write("examples/shop/wharf.yaml", "artefact: report.txt\n");
    let said = repository.push("main").await;
    assert!(said.contains("run 1 of examples/shop of main for local"), "{said}");
    let run = place.ended(1).await;
    let lines = place.runs().log(run.id, "checkout", 0, 9).expect("a log").lines;
    assert_eq!((run.state, run.project.as_str()), (RunState::Passed, "examples/shop"), "{lines:?}");
    assert!(lines[0].ends_with("/web/examples/shop"), "{lines:?}");
    assert_eq!(&lines[1..3], ["project: examples/shop", "arguments: up --json --yes --project . --env local"]);
    assert_eq!(place.get("/api/runs/1/artefacts/report.txt").await, (200, b"mine\n".to_vec()));
    assert_eq!(place.post("/api/runs/1/retry").await.0, 201);
    assert_eq!(place.ended(2).await.project, run.project, "also when it is done again");
    let (status, found) = place.get("/api/runs?project=examples%2Fshop").await;
    assert_eq!((status, String::from_utf8_lossy(&found).matches("\"id\":").count() >= 2), (200, true));
    assert_eq!(place.get("/api/runs?project=..").await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_projects_go_beside_each_other_and_each_by_its_own_rules() {
    let Some(place) = place("several").await else { return };
    let known = Known { projects: folders(&["a", "b", "later"]), ..Known::default() };
    place.server.repositories().add("web", &known).await.expect("added");
    let repository = place.clone_of("web");
    for project in ["a", "b"] {
        repository.write(&format!("{project}/job.sh"), WHERE);
        repository.write(&format!("{project}/wharf.yaml"), "paths: src/**\n");
    }
    let said = repository.push("main").await;
    assert!(said.contains("no run of later: the branch main has no such folder"), "{said}");
    let environments = |id: u64| place.runs().get(ci::RunId(id)).expect("read").map(|run| run.project.to_string());
    assert_eq!([environments(1), environments(2), environments(3)], [Some("a".to_owned()), Some("b".to_owned()), None]);
    // One does not wait for the other, whoever takes them.
    let take = |name: &'static str| place.runs().take(name, name, std::time::Duration::from_secs(5));
    let (one, two) = (take("first-of-two-runners").await.expect("a run"), take("other-of-two-runners").await.expect("a run"));
    let taken: BTreeSet<String> = [&one, &two].iter().map(|taken| taken.run.project.to_string()).collect();
    assert_eq!(taken.len(), 2);
    for taken in [one, two] {
        let end = vec![ci::Said::Ended { code: Some(0), cause: None }];
        place.runs().say(taken.run.id, &taken.token, 0, end).await.expect("taken");
    }
    // Patterns count from the project's folder.
    repository.write("src/elsewhere", "1");
    repository.write("b/src/here", "1");
    let said = repository.push("main").await;
    assert!(said.contains("run 3 of b of main") && !said.contains("of a of main"), "{said}");
    repository.write("src/elsewhere", "2");
    let said = repository.push("main").await;
    assert!(said.contains("no run: no rule"), "{said}");
    place.server.repositories().set_projects("web", &folders(&["later", "."])).expect("set");
    repository.write("x", "1");
    let said = repository.push("main").await;
    assert!(said.contains("run 4 of main") && said.contains("no run of later"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_none_fails_its_run_and_is_named() {
    let Some(place) = place("nofolder").await else { return };
    place.runner("r1");
    let repository = place.clone_of("web");
    repository.write("real/job.sh", JOB);
    std::os::unix::fs::symlink("real", repository.folder().join("link")).expect("linked");
    repository.write("file", "");
    repository.push("main").await;
    place.ended(1).await;
    for (number, folder, said) in
        [(2, "missing", "has no folder `missing`"), (3, "link", "no folder, at `link`"), (4, "file", "no folder, at `file`")]
    {
        place.server.repositories().set_projects("web", &folders(&[folder])).expect("set");
        repository.write("x", folder);
        repository.push("main").await;
        let run = place.ended(number).await;
        let cause = run.cause.expect("a cause");
        assert!(run.state == RunState::Failed && cause.exit_code == 2 && cause.message.contains(said), "{cause:?}");
        assert!(cause.hints[0].contains("--folder"), "{cause:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_hook_says_goes_to_the_projects_too() {
    let Some(place) = place("hookfolder").await else { return };
    place.runner("r1");
    let elsewhere = place.elsewhere("origin");
    elsewhere.write("services/shop/job.sh", WHERE);
    elsewhere.commit("main");
    let known = Known {
        url: Some(elsewhere.folder().display().to_string()),
        hook: Some(place.secrets().seal(&ci::hook_purpose("app"), "hook secret").expect("sealed")),
        projects: folders(&["services/shop"]),
        ..Known::default()
    };
    place.server.repositories().add("app", &known).await.expect("added");
    let body = br#"{"ref":"refs/heads/main","after":"1"}"#;
    let signature = signature(body, "hook secret");
    let headers = [("x-hub-signature-256", signature.as_str()), ("x-github-delivery", "d1"), ("x-github-event", "push")];
    assert_eq!(place.hook("app", &headers, body).await, 202);
    let run = place.ended(1).await;
    assert_eq!((run.state, run.project.as_str()), (RunState::Passed, "services/shop"));
}
