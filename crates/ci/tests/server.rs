//! A server with real git pushes and web hooks to it, and runners in this process whose command is a script of the pushed commit.

#[path = "server/hostile.rs"]
mod hostile;
#[path = "server/place.rs"]
mod place;
#[path = "server/projects.rs"]
mod projects;

use ci::{Known, RunState, StageState};
use place::{Place, place, signature};
use serde_json::{Value, json};

const JOB: &str = r#"
echo '{"stages":["lint","test"]}'
echo '{"stage":"lint","state":"running"}'
echo '{"stage":"lint","note":"looking"}'
echo '{"stage":"lint","state":"done","summary":"nothing found","milliseconds":2}'
echo '{"stage":"test","state":"running"}'
echo "arguments: $*"
echo "a word of talk" >&2
echo result > report.txt
echo '{"stage":"test","state":"done","summary":"1 passed","milliseconds":3,"detail":{"passed":1}}'
echo '{"service":"web","url":"http://127.0.0.1:1/"}'
echo '{"release":"abc"}'
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_push_begins_a_run_that_is_done_and_kept() {
    let Some(place) = place("push").await else { return };
    place.runner("r1");
    let repository = place.clone_of("web");
    repository.write("job.sh", JOB);
    repository.write("wharf.yaml", "artefact: report.txt\n");
    let said = repository.push("main").await;
    assert!(said.contains("run 1 of main for local"), "{said}");
    let run = place.ended(1).await;
    assert_eq!((run.state, run.attempt, run.runner.as_deref()), (RunState::Passed, 1, Some("r1")));
    let stages: Vec<(&str, StageState)> = run.stages.iter().map(|stage| (stage.name.as_str(), stage.state)).collect();
    assert_eq!(stages, [("checkout", StageState::Done), ("lint", StageState::Done), ("test", StageState::Done)]);
    assert_eq!(run.stages[2].detail, json!({"passed": 1}));
    assert_eq!((run.urls.len(), run.release.as_deref(), run.commit.subject.as_str()), (1, Some("abc"), "a change"));
    let lines = place.runs().log(run.id, "test", 0, 9).expect("a log").lines;
    assert!(lines.contains(&"arguments: up --json --yes --project . --env local".to_owned()), "{lines:?}");
    let artefact = place.get("/api/runs/1/artefacts/report.txt").await;
    assert_eq!(artefact, (200, b"result\n".to_vec()));
    let (status, answer) = place.get("/api/runs/1").await;
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    assert_eq!((status, &answer["state"]), (200, &json!("passed")));

    let again = repository.push("main").await;
    assert!(again.contains("Everything up-to-date"), "{again}");
    let (status, _) = place.post("/api/runs/1/retry?from=test").await;
    assert_eq!(status, 201);
    let second = place.ended(2).await;
    let lines = place.runs().log(second.id, "test", 0, 9).expect("a log").lines;
    assert!(lines.contains(&"arguments: up --json --yes --project . --env local --from test".to_owned()), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_is_taken_once_and_only_signed() {
    let Some(place) = place("hook").await else { return };
    place.runner("r1");
    let elsewhere = place.elsewhere("origin");
    elsewhere.write("job.sh", JOB);
    elsewhere.commit("main");
    let known = Known {
        url: Some(elsewhere.folder().display().to_string()),
        hook: Some(place.secrets().seal(&ci::hook_purpose("app"), "hook secret").expect("sealed")),
        ..Known::default()
    };
    place.server.repositories().add("app", &known).await.expect("added");
    let body = br#"{"ref":"refs/heads/main","after":"1"}"#;
    let send = |delivery: &'static str, signature: String| {
        let place = &place;
        async move {
            place
                .hook("app", &[("x-hub-signature-256", &signature), ("x-github-delivery", delivery), ("x-github-event", "push")], body)
                .await
        }
    };
    assert_eq!(send("d1", signature(body, "another")).await, 403);
    assert_eq!(send("d1", "sha256=00".to_owned()).await, 403);
    assert!(place.all().is_empty());
    assert_eq!(send("d1", signature(body, "hook secret")).await, 202);
    assert_eq!(place.ended(1).await.state, RunState::Passed);
    assert_eq!(send("d1", signature(body, "hook secret")).await, 200, "the same delivery again");
    assert_eq!(send("d2", signature(body, "hook secret")).await, 202);
    place.until(|| place.runs().pending().is_empty()).await;
    elsewhere.write("x", "1");
    elsewhere.commit("other");
    assert_eq!(send("d3", signature(body, "hook secret")).await, 202);
    let run = place.ended(2).await;
    assert_eq!((run.branch.as_str(), run.state), ("other", RunState::Passed));
    assert_eq!(place.all().len(), 2, "{:?}", place.all());
    let push = place.clone_of("app").try_push("main").await;
    assert!(!push.0, "what lies elsewhere is pushed to there: {}", push.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_hook_begins_its_own_branch_and_the_remote_says_which_is_the_default() {
    let Some(place) = place("first").await else { return };
    let elsewhere = place.elsewhere("origin");
    elsewhere.write("job.sh", JOB);
    for branch in ["release/1", "trunk", "topic"] {
        elsewhere.commit(branch);
    }
    place::git(elsewhere.folder(), &["symbolic-ref", "HEAD", "refs/heads/trunk"]);
    let secrets = place.secrets();
    let hook = Some(secrets.seal(&ci::hook_purpose("app"), "hook secret").expect("sealed"));
    let known = Known { url: Some(elsewhere.folder().display().to_string()), hook, ..Known::default() };
    place.server.repositories().add("app", &known).await.expect("added");
    let pending = ci::Pending { provider: "plain".into(), delivery: "x".into(), branches: ["main".to_owned()].into() };
    let gone = ci::Refs { pending: Some(("gone".into(), pending)), ..ci::Refs::default() };
    place.runs().begin(Vec::new(), gone).await.expect("kept");
    let send = async |delivery: &str, branch: &str, runs: usize| {
        let body = format!("{{\"ref\":\"refs/heads/{branch}\"}}");
        let signed = signature(body.as_bytes(), "hook secret");
        let headers = [("x-wharf-signature-256", signed.as_str()), ("x-wharf-delivery", delivery)];
        assert_eq!(place.hook("app", &headers, body.as_bytes()).await, 202);
        place.until(|| place.runs().pending().is_empty() && place.all().len() >= runs).await;
        place.all().into_iter().map(|run| run.branch).collect::<Vec<_>>()
    };
    assert_eq!(send("d1", "trunk", 1).await, ["trunk"], "and what was pending of a repository that is gone is forgotten");
    let branches = place.server.repositories().branches("app").await.expect("branches");
    assert_eq!(branches.len(), 3);
    assert_eq!(place.server.repositories().default_branch("app", &branches).await.expect("read"), "trunk");
    assert_eq!(send("d2", "topic", 2).await, ["topic", "trunk"], "which was there when the first was fetched for");
    assert_eq!(send("d3", "topic", 2).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_is_made_again_begins_anew() {
    let Some(place) = place("anew").await else { return };
    let repository = place.clone_of("web");
    repository.write("job.sh", JOB);
    repository.push("main").await;
    place.server.repositories().remove("web").expect("removed");
    let said = repository.push("main").await;
    assert!(said.contains("run 2 of main"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_branch_cannot_tell_keeps_no_other_back() {
    let Some(place) = place("branches").await else { return };
    let repository = place.clone_of("web");
    repository.write("wharf.yaml", "project: a\n");
    repository.commit("main");
    let message = place.folder.join("message");
    std::fs::write(&message, "x".repeat(70_000)).expect("written");
    place::git(repository.folder(), &["commit", "--quiet", "--allow-empty", "-F", message.to_str().expect("UTF-8")]);
    let said = repository.push("big").await;
    assert!(said.contains("run 1 of big"), "{said}");
    assert_eq!(place.all()[0].commit.subject, "x".repeat(200));
    // Settings that git cannot read just now: their branch waits, and no other one does.
    repository.write("wharf.yaml", "project: b\n");
    let damaged = repository.commit("damaged");
    place.put_into_bare("web", &repository, "damaged", &damaged);
    let blob = place::git(repository.folder(), &["rev-parse", "HEAD:wharf.yaml"]);
    let (folder, file) = blob.trim().split_at(2);
    let object = place.folder.join("ci/repositories/web.git/objects").join(folder).join(file);
    let away = place.folder.join("away");
    std::fs::rename(&object, &away).expect("there");
    repository.write("wharf.yaml", "project: a\n");
    let said = repository.push("other").await;
    assert!(said.contains("run 2 of other") && said.contains("no run of damaged began yet"), "{said}");
    std::fs::rename(&away, &object).expect("put back");
    let pushed = place.server.catch_up().await.expect("looked");
    assert!(place.all().iter().any(|run| run.branch == "damaged" && run.commit.id == damaged), "{pushed:?}");
    assert!(place.server.catch_up().await.expect("looked").is_empty());
    assert_eq!(place.all().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_died_after_a_push_begins_its_run_when_it_starts() {
    let Some(mut place) = place("died").await else { return };
    let repository = place.clone_of("web");
    repository.write("job.sh", JOB);
    repository.push("main").await;
    repository.write("x", "1");
    let id = repository.commit("main");
    // As git leaves it when the server dies before it has looked.
    place.put_into_bare("web", &repository, "main", &id);
    place.restart().await;
    let pushed = place.server.catch_up().await.expect("looked");
    assert_eq!((pushed.len(), pushed[0].runs.len()), (1, 1));
    assert!(place.server.catch_up().await.expect("looked").is_empty());
    assert_eq!(place.all().len(), 2);
    assert_eq!(place.all()[0].commit.id, id);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_and_names_are_checked() {
    let Some(place) = place("rights").await else { return };
    let read = place.server.tokens().add("reader", ci::Role::Read).expect("a token");
    let repository = place.clone_of("web");
    repository.write("a", "1");
    repository.commit("main");
    for (token, pushes) in [("", false), (read.as_str(), false), (place.runner_token.as_str(), false), (place.admin.as_str(), true)] {
        let (done, said) = repository.try_push_as("main", token).await;
        assert_eq!(done, pushes, "{said}");
    }
    for (path, headers, status) in [
        ("/api/runs", vec![("host", "evil.example.com")], 403),
        ("/api/runs", vec![("origin", "http://evil.example.com")], 403),
        ("/api/runs/9", vec![], 404),
        ("/api/runs/x", vec![], 400),
        ("/git/..%2f..%2fetc/info/refs?service=git-upload-pack", vec![], 404),
        ("/git/web.git/info/refs", vec![], 403),
        ("/api/runners/take", vec![], 403),
    ] {
        assert_eq!(place.get_with(path, &headers).await.0, status, "{path} {headers:?}");
    }
    let (status, _) = place.get_as("/api/runs", "").await;
    assert_eq!(status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_cancelled() {
    let Some(place) = place("cancel").await else { return };
    let repository = place.clone_of("web");
    repository.write("job.sh", "echo '{\"stage\":\"test\",\"state\":\"running\"}'; trap 'exit 130' INT; while :; do sleep 0.05; done\n");
    repository.push("main").await;
    place.runner("r1");
    place.until(|| place.all()[0].stages.iter().any(|stage| stage.name == "test" && stage.state == StageState::Running)).await;
    assert_eq!(place.post("/api/runs/1/cancel").await.0, 202);
    let run = place.ended(1).await;
    assert_eq!((run.state, run.stages[1].state), (RunState::Cancelled, StageState::Skipped));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_runner_never_speaks_again_is_taken_over() {
    let Some(place) = place("silent").await else { return };
    let repository = place.clone_of("web");
    repository.write("job.sh", "echo done\n");
    repository.push("main").await;
    let taken = place.runs().take("dead", &"d".repeat(16), std::time::Duration::from_secs(5)).await.expect("a run");
    place.runner("r2");
    let run = place.ended(1).await;
    assert_eq!((run.state, run.attempt, run.runner.as_deref()), (RunState::Passed, 2, Some("r2")));
    assert!(place.runs().say(run.id, &taken.token, 0, Vec::new()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_of_a_run_are_in_its_environment_and_nowhere_else() {
    let Some(place) = place("secrets").await else { return };
    let value = "hunter2/very+secret value";
    let secret = |name: &str| ci::Secret { repository: "web".into(), name: name.into(), branches: Vec::new() };
    place.secrets().set(secret("TOKEN"), value).expect("set");
    place.runner("r1");
    let repository = place.clone_of("web");
    repository.write(
        "job.sh",
        r#"
echo '{"stage":"test","state":"running"}'
test "$TOKEN" = 'hunter2/very+secret value' && echo it is there
set -x
echo "$TOKEN"
set +x
printf %s "$TOKEN" | base64
printf %s "x$TOKEN" | base64
printf %s "$TOKEN" | od -An -tx1 | tr -d ' \n'; echo
printf '%s\n' hunter2/ver 'y+secret value'
printf 'hunter2/very+' ; sleep 0.2; printf 'secret value\n'
echo '{"stage":"test","note":"hunter2/ve"}'
echo '{"stage":"test","note":"ry+secret value"}'
echo "{\"stage\":\"test\",\"state\":\"done\",\"summary\":\"$TOKEN\",\"milliseconds\":1,\"detail\":{\"a\":\"$TOKEN\"}}"
"#,
    );
    repository.push("main").await;
    let run = place.ended(1).await;
    assert_eq!(run.state, RunState::Passed);
    let lines = place.runs().log(run.id, "test", 0, 99).expect("a log").lines;
    assert!(lines.contains(&"it is there".to_owned()), "{lines:?}");
    place.stop().await;
    let forms = [value, "hunter2", "secret value", "aHVudGVyMi92ZXJ5", "h1bnRlcjIvdmVyeStzZWNyZX", "68756e746572322f76657279"];
    for (path, content) in place.files() {
        let text = String::from_utf8_lossy(&content);
        if let Some(form) = forms.iter().find(|form| text.contains(**form)) {
            panic!("`{form}` is in {}: {text}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_secrets_cannot_be_had_ends_and_its_runner_goes_on() {
    let Some(place) = place("broken").await else { return };
    let secret = |name: String| ci::Secret { repository: "web".into(), name, branches: Vec::new() };
    place.secrets().set(secret("TOKEN".into()), "hunter2").expect("set");
    let file = place.folder.join("ci/secrets.json");
    let good = std::fs::read(&file).expect("read");
    std::fs::write(&file, "[]]").expect("written");
    place.runner("r1");
    let repository = place.clone_of("web");
    repository.write("job.sh", "echo done\n");
    repository.push("main").await;
    let run = place.ended(1).await;
    let cause = run.cause.expect("a cause");
    assert_eq!((run.state, cause.kind.as_str(), cause.exit_code), (RunState::Failed, "host", 5));
    assert!(cause.message.contains("secrets"), "{cause:?}");
    std::fs::write(&file, &good).expect("written");
    for number in 0..70 {
        place.secrets().set(secret(format!("S{number}")), &"x".repeat(64 << 10)).expect("set");
    }
    place.post("/api/runs/1/retry").await;
    let cause = place.ended(2).await.cause.expect("a cause");
    assert!(cause.message.contains("bytes"), "{cause:?}");
    std::fs::write(&file, good).expect("written");
    place.post("/api/runs/1/retry").await;
    assert_eq!(place.ended(3).await.state, RunState::Passed);
}

impl Place {
    fn all(&self) -> Vec<ci::Run> {
        self.runs().list(&ci::Filter::default(), None, 1000)
    }
}
