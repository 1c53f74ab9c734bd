//! What is answered to who is let in.

use crate::asked::Asked;
use crate::runs::HOSTILE;
use base::{Finding, Place, Severity};
use ci::RunId;
use delivery::rollout::PodSeen;
use http::StatusCode;
use serde_json::{Value, json};

#[tokio::test]
async fn the_board_is_filtered_and_goes_back() {
    let asked = Asked::logged_in("reader").await;
    let first = asked.get("/").await.text;
    assert!(first.contains("id=\"run-35\"") && first.contains("id=\"run-16\"") && !first.contains("id=\"run-15\""));
    let older = asked.get("/?before=16").await.text;
    assert!(
        older.contains("id=\"run-15\"")
            && !older.contains("id=\"run-16\"")
            && older.contains("Newest runs")
            && !older.contains("data-live")
    );
    let failed = asked.get("/?state=failed&repository=jobs").await.text;
    assert!(failed.contains("id=\"run-27\"") && !failed.contains("id=\"run-28\"") && !failed.contains("id=\"run-29\""));
    let none = asked.get("/?branch=no-such").await.text;
    assert!(none.contains("No run is like that") && !none.contains("id=\"run-"));
}

#[tokio::test]
async fn a_lint_error_shows_its_file_and_line_and_the_lines_around_it() {
    let page = Asked::logged_in("reader").await.get("/runs/27").await.text;
    for part in ["Dockerfile:12:1", "DL3000", "WORKDIR app", "COPY --from=build", "mkdir -p /srv/app"] {
        assert!(page.contains(part), "{part}");
    }
    let (_, hit) = page.split_once("class=\"row hit\"").expect("the line is marked");
    assert!(hit.split("</span></span>").next().is_some_and(|hit| hit.contains("12") && hit.contains("WORKDIR app")), "{hit:.300}");
}

#[tokio::test]
async fn what_is_not_there_is_told() {
    let asked = Asked::logged_in("reader").await;
    for path in ["/runs/4711", "/runs/27/stages/none", "/images/sha256:0", "/releases/a/b/c", "/runs/x"] {
        let answer = asked.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.text.contains("Next: "), "{path}");
    }
}

#[tokio::test]
async fn logs_are_read_by_pages_and_whole() {
    let asked = Asked::logged_in("reader").await;
    let page: Value = serde_json::from_str(&asked.get("/runs/33/stages/build/log?from=9990&limit=3").await.text).expect("JSON");
    assert_eq!((&page["from"], &page["total"], page["lines"].as_array().map(Vec::len)), (&json!(9_990), &json!(10_000), Some(3)));
    assert_eq!(page["lines"][0][0][1].as_str().map(|text| text.starts_with("<script>")), Some(true));
    let far: Value =
        serde_json::from_str(&asked.get("/runs/33/stages/build/log?from=99999999999&limit=999999999").await.text).expect("JSON");
    assert_eq!(far["lines"], json!([]));
    let whole = asked.get("/runs/33/stages/build/log.txt").await;
    assert_eq!((whole.text.lines().count(), whole.header("content-type")), (10_000, "text/plain; charset=utf-8"));
    assert!(whole.header("content-disposition").starts_with("attachment"));
    // Without a script: further back by links.
    let page = asked.get("/runs/33/stages/build?line=5000").await.text;
    assert!(page.contains("data-n=\"5001\"") && page.contains("?line=4"), "earlier lines are a link");
}

#[tokio::test]
async fn a_log_that_is_cut_short_says_so() {
    let asked = Asked::logged_in("reader").await;
    asked.world.lock().unreadable_from = Some(4_000);
    let cut = asked.get("/runs/33/stages/build/log.txt").await.text;
    let last = cut.lines().next_back().expect("lines");
    assert!(cut.lines().count() > 1_000 && !cut.contains("package-4001 "), "{}", cut.lines().count());
    for part in ["cut here", "the disk says no", "10000 lines"] {
        assert!(last.contains(part), "{part}: {last}");
    }
}

#[tokio::test]
async fn a_run_is_begun_again_from_planned_stages_only() {
    let asked = Asked::logged_in("operator").await;
    asked.world.change(RunId(28), |run| run.stages.push(ci::StageRun { is_planned: false, ..ci::StageRun::waiting("rollback") }));
    let page = asked.get("/runs/28").await.text;
    let offered: Vec<&str> = page.split("<option value=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(offered, ["", "lint", "test", "build", "scan", "check", "push", "plan", "deploy", "smoke", "load"]);
}

#[tokio::test]
async fn what_a_run_left_is_a_file_and_never_a_page() {
    let answer = Asked::logged_in("reader").await.get("/runs/29/artefacts/a%22%0d%0ab.html").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/octet-stream"));
    assert_eq!(answer.header("content-disposition"), "attachment; filename*=UTF-8''a%22%0D%0Ab.html");
    assert!(answer.header("content-security-policy").contains("sandbox"));
}

#[tokio::test]
async fn a_page_stays_small_whatever_is_in_it() {
    let asked = Asked::logged_in("operator").await;
    let evidence = (1..9)
        .map(|line| format!("{line} | RUN apt-get install -y something with a long line of arguments that goes on"))
        .collect::<Vec<_>>()
        .join("\n");
    let finding =
        Finding::new("DL3008", Severity::Warning, Place::in_file("services/web/Dockerfile", 4, 1), "Pin versions in apt-get install")
            .with_evidence(evidence);
    let pod = PodSeen {
        workload: "Deployment request-info/request-info".into(),
        name: "request-info-7d9c5b-03f1d".into(),
        newest: true,
        node: "node-17".into(),
        ready: true,
        state: "Running".into(),
        restarts: 2,
        since: "2026-01-01T00:00:00Z".into(),
    };
    let field = json!({"path": "spec.template.spec.containers[0].image", "before": "r/web@sha256:1b6fd1f2f1b9", "after": "r/web@sha256:94c0a7e5d210"});
    let objects: Vec<Value> = (0..100)
        .map(|at| json!({"object": format!("Deployment p/web-{at}"), "change": "changed", "fields": vec![field.clone(); 20]}))
        .collect();
    asked.world.change(RunId(29), |run| {
        for stage in &mut run.stages {
            match stage.name.as_str() {
                "deploy" => stage.detail = json!({"pods": vec![pod.clone(); 500], "plan": {"objects": objects.clone()}}),
                "lint" => stage.findings = vec![finding.clone(); 500],
                _ => {}
            }
        }
    });
    let lines: Vec<String> = (0..500).map(|at| format!("\u{1b}[32m{at}\u{1b}[0m {HOSTILE}{}", "x".repeat(3_000))).collect();
    for stage in ["deploy", "lint"] {
        asked.world.say(RunId(29), stage, lines.clone());
    }
    // The style and the script are 30,000 bytes more.
    for stage in ["deploy", "lint"] {
        let page = asked.get(&format!("/runs/29/stages/{stage}")).await.text;
        assert!((20_000..70_000).contains(&page.len()), "{stage}: {}", page.len());
    }
    assert!(asked.get("/").await.text.len() < 70_000);
}
