//! What is told while somebody looks.

use crate::asked::Asked;
use ci::{RunId, RunState, StageState};
use http::StatusCode;
use http_body_util::BodyExt;
use net::Body;
use serde_json::Value;
use std::time::Duration;

/// Reads events, until one of them is what is waited for, or the stream ends.
async fn until(body: &mut Body, text: &mut String, is_it: impl Fn(&str) -> bool) -> bool {
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            text.push_str(&String::from_utf8_lossy(frame.data_ref().expect("data")));
            if is_it(text) {
                return true;
            }
        }
        false
    };
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("in time")
}

async fn open(asked: &Asked, path: &str) -> Body {
    let answer = asked.open("GET", path, &[], "").await;
    assert_eq!((answer.status(), answer.headers()["content-type"].as_bytes()), (StatusCode::OK, &b"text/event-stream"[..]));
    answer.into_body()
}

fn messages(text: &str) -> Vec<Value> {
    text.lines().filter_map(|line| line.strip_prefix("data: ")).map(|data| serde_json::from_str(data).expect("JSON")).collect()
}

#[tokio::test]
async fn only_what_changed_is_told() {
    let asked = Asked::logged_in("reader").await;
    let (mut body, mut text) = (open(&asked, "/events").await, String::new());
    assert!(until(&mut body, &mut text, |text| text.contains("run-35")).await);
    assert_eq!(messages(&text)[0]["regions"].as_array().map(Vec::len), Some(21), "the head and twenty rows");
    text.clear();
    asked.world.change(RunId(34), |run| run.stages[3].state = StageState::Failed);
    assert!(until(&mut body, &mut text, |text| text.ends_with("\n\n")).await);
    let told = messages(&text);
    let ids: Vec<&str> = told[0]["regions"].as_array().into_iter().flatten().filter_map(|region| region[0].as_str()).collect();
    assert_eq!(ids, ["run-34"]);
}

#[tokio::test]
async fn every_line_comes_once_and_a_run_that_ends_ends_its_stream() {
    let asked = Asked::logged_in("reader").await;
    let (mut body, mut text) = (open(&asked, "/runs/34/events?stage=build&log=build&from=40").await, String::new());
    assert!(until(&mut body, &mut text, |text| text.contains("\"panel\"")).await);
    // More than is sent at once, while nobody reads.
    asked.world.say(RunId(34), "build", (0..7_500).map(|line| format!("l{line}")));
    asked.world.change(RunId(34), |run| (run.state, run.stages[3].state) = (RunState::Passed, StageState::Done));
    assert!(!until(&mut body, &mut text, |_| false).await);
    let lines: Vec<u64> = messages(&text)
        .iter()
        .filter_map(|message| message.get("log"))
        .flat_map(|log| {
            let from = log["from"].as_u64().expect("a number");
            (from..).zip(log["lines"].as_array().expect("lines")).map(|(number, _)| number).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(lines, (40..7_540).collect::<Vec<u64>>());
    assert!(text.contains("event: over") && text.contains("id: build/7540"), "{}", &text[text.len() - 200..]);
}

#[tokio::test]
async fn a_log_that_cannot_be_read_hides_nothing_else_and_holds_nothing_up() {
    let asked = Asked::logged_in("reader").await;
    let (mut body, mut text) = (open(&asked, "/runs/34/events?stage=build&log=build&from=40").await, String::new());
    assert!(until(&mut body, &mut text, |text| text.contains("\"panel\"")).await);
    text.clear();
    asked.world.lock().unreadable_from = Some(0);
    asked.world.change(RunId(34), |run| run.stages[3].summary = "four of nine".into());
    assert!(until(&mut body, &mut text, |text| text.contains("four of nine") && text.contains("the disk says no")).await);
    // It is read again with the next change, and comes whole.
    asked.world.lock().unreadable_from = None;
    text.clear();
    asked.world.say(RunId(34), "build", ["late".to_owned()]);
    assert!(until(&mut body, &mut text, |text| text.contains("late")).await);
    assert!(text.contains("\"from\":40"), "{text}");
    // Nobody waits for ever for the log of a run that has ended.
    asked.world.lock().unreadable_from = Some(0);
    text.clear();
    asked.world.change(RunId(34), |run| (run.state, run.stages[3].state) = (RunState::Passed, StageState::Done));
    assert!(!until(&mut body, &mut text, |_| false).await);
    assert!(text.contains("Run 34: passed.") && text.contains("event: over"), "{text}");

    // Nor does a run that cannot be read keep anybody busy: the stream ends with the server.
    let (mut body, mut text) = (open(&asked, "/runs/35/events").await, String::new());
    assert!(until(&mut body, &mut text, |text| text.contains("\"panel\"")).await);
    asked.world.lock().runs.remove(&RunId(35));
    asked.world.change(RunId(35), |_| ());
    tokio::time::sleep(Duration::from_millis(100)).await;
    asked.pages.close();
    assert!(!until(&mut body, &mut text, |_| false).await);
}

#[tokio::test]
async fn who_does_not_read_holds_up_no_end() {
    let asked = Asked::logged_in("reader").await;
    asked.world.say(RunId(34), "build", (0..4_000).map(|line| format!("l{line}")));
    let mut body = open(&asked, "/runs/34/events?stage=build&log=build&from=0").await;
    // All that may wait waits, and nobody takes it.
    tokio::time::sleep(Duration::from_millis(300)).await;
    asked.pages.close();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let mut text = String::new();
    assert!(!until(&mut body, &mut text, |_| false).await);
    assert!(!text.contains("l3999"), "nothing is told any more once the server ends");
}

#[tokio::test]
async fn who_comes_again_goes_on_where_they_were() {
    let asked = Asked::logged_in("reader").await;
    let answer = asked.open("GET", "/runs/34/events?stage=build&log=build&from=0", &[("last-event-id", "build/39")], "").await;
    let (mut body, mut text) = (answer.into_body(), String::new());
    assert!(until(&mut body, &mut text, |text| text.contains("\"log\":{")).await);
    let log = messages(&text).into_iter().find_map(|message| message.get("log").cloned()).expect("lines");
    assert_eq!((log["from"].as_u64(), log["lines"].as_array().map(Vec::len)), (Some(39), Some(1)));
}

#[tokio::test]
async fn who_is_far_behind_gets_the_newest() {
    let asked = Asked::logged_in("reader").await;
    asked.world.say(RunId(34), "build", (0..50_000).map(|line| format!("l{line}")));
    let (mut body, mut text) = (open(&asked, "/runs/34/events?stage=build&log=build&from=40").await, String::new());
    assert!(until(&mut body, &mut text, |text| text.contains("l49999")).await);
    assert!(!text.contains("\"l30000\""));
}

#[tokio::test]
async fn streams_end_with_the_server_and_with_the_session() {
    let asked = Asked::logged_in("reader").await;
    let (mut first, mut text) = (open(&asked, "/events").await, String::new());
    assert!(until(&mut first, &mut text, |text| text.contains("run-35")).await);
    asked.world.lock().tokens_gone.push("reader".into());
    asked.world.change(RunId(34), |run| run.stages[3].state = StageState::Warned);
    text.clear();
    assert!(!until(&mut first, &mut text, |_| false).await);
    assert_eq!(text, "", "nothing is told to whose token was taken away");

    let asked = Asked::logged_in("reader").await;
    let (mut second, mut text) = (open(&asked, "/runs/34/events").await, String::new());
    assert!(until(&mut second, &mut text, |text| text.contains("panel")).await);
    asked.pages.close();
    assert!(!until(&mut second, &mut text, |_| false).await);
}

#[tokio::test]
async fn there_is_an_end_to_streams() {
    let asked = Asked::logged_in("reader").await;
    let mut open = Vec::new();
    loop {
        let answer = asked.open("GET", "/events", &[], "").await;
        if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
            break;
        }
        open.push(answer);
        assert!(open.len() <= 512);
    }
    assert_eq!(open.len(), 512);
    open.truncate(500);
    let freed = async {
        while asked.open("GET", "/events", &[], "").await.status() != StatusCode::OK {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), freed).await.expect("who leaves makes room");
}
