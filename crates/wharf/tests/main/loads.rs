//! The project's own loads: compared with the release before, and a reason to go back.

use super::place::place;
use serde_json::Value;

const STAGES: &str = "build,deploy,load";

#[test]
fn a_load_is_compared_with_the_release_before_and_takes_a_slower_one_back() {
    let Some(place) = place("loads") else { return };
    let settings = place.project().join("wharf.yaml");
    let whole = std::fs::read_to_string(&settings).expect("read");
    let without: String =
        whole.lines().filter(|line| !line.starts_with("load:") && !line.contains("requests:")).map(|line| format!("{line}\n")).collect();
    let load = |limit: &str| {
        let load = format!("load:\n  - {{ get: web/, requests: 200, concurrency: 2, {limit} }}\n");
        std::fs::write(&settings, without.clone() + &load).expect("written");
    };
    let page = |text: &str| std::fs::write(place.project().join("www/index.html"), text).expect("written");
    let up = || place.wharf(&["up", "--only", STAGES, "--json"]);
    let report = |output: &std::process::Output| {
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut lines = told.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.rfind(|line| line["verdict"].is_string() && line["requests"].is_u64()).unwrap_or_else(|| panic!("no report: {told}"))
    };
    load("max-failed: 0, worse-than: 100000%");
    let first = up();
    let before = report(&first);
    assert_eq!((first.status.code(), before["verdict"].as_str(), before["before"].is_null()), (Some(0), Some("good"), true), "{before}");
    page("hello one, again");
    let second = up();
    let after = report(&second);
    assert_eq!((second.status.code(), &after["before"]["p99_us"]), (Some(0), &before["service"]["p99_us"]), "{after}");
    let said = place.well(&["load"]);
    assert!(said.contains("(before ") && said.contains("verdict    good"), "{said}");
    // Nobody answers within a nanosecond.
    page("hello one, too late");
    load("p50: 1ns");
    let third = up();
    let told = String::from_utf8_lossy(&third.stderr);
    // A machine that is full elsewhere cannot tell: then nothing was measured, and nothing is taken back.
    if third.status.code() == Some(5) {
        assert!(told.contains("not measured") && !told.contains("serves again"), "{told}");
        return;
    }
    assert!(third.status.code() == Some(1) && told.contains("half took up to") && told.contains("serves again"), "{told}");
    std::fs::write(&settings, without.replace("body: hello one", "body: \"hello one, again\"")).expect("written");
    place.well(&["smoke"]);
}
