//! `wharf ci` as people use it: pushes to a real server, real runners, killed in the middle; and a release that serves at the end.

#[path = "ci/gates.rs"]
mod gates;
#[path = "ci/killed.rs"]
mod killed;
#[path = "ci/pipeline.rs"]
mod pipeline;
#[allow(dead_code, reason = "shared with other tests")]
#[path = "main/place.rs"]
mod place;

use pipeline::Pipeline;
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn a_push_is_taken_to_the_engine_and_serves() {
    let Some(place) = place::place("ci") else { return };
    let pipeline =
        Pipeline::begin(place.home(), &|arguments| place.command(place::program().to_str().expect("UTF-8"), arguments), 1, "30s");
    let folder = place.project();
    pipeline::git(&folder, &["init", "--quiet", "-b", "main", "."]);
    let push = |message: &str| {
        pipeline::commit(&folder, message);
        let url = pipeline.remote("tiny");
        let begun = Instant::now();
        let said = place.command("git", &["push", &url, "main"]).output().expect("git runs");
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        begun
    };
    let get = |path: &str| {
        let url = format!("{}{path}", pipeline.url);
        let header = format!("Authorization: Bearer {}", pipeline.token);
        serde_json::from_str::<serde_json::Value>(&place.tool("curl", &["-s", "-H", &header, &url])).expect("JSON")
    };
    for (number, text) in [(1, "hello one"), (2, "hello one, again")] {
        std::fs::write(folder.join("www/index.html"), text).expect("written");
        let begun = push(text);
        place::until("the run is there", Duration::from_secs(2), || get(&format!("/api/runs/{number}"))["id"] == json!(number));
        let mut seen = std::collections::BTreeSet::new();
        place::until("the run ends", Duration::from_secs(90), || {
            let run = get(&format!("/api/runs/{number}"));
            for stage in run["stages"].as_array().into_iter().flatten() {
                seen.insert(format!("{} {}", stage["name"].as_str().unwrap_or_default(), stage["state"].as_str().unwrap_or_default()));
            }
            ["passed", "failed"].iter().any(|state| run["state"] == json!(state))
        });
        let run = get(&format!("/api/runs/{number}"));
        assert_eq!(run["state"], json!("passed"), "{run:#}");
        assert!(run["release"].is_string() && run["urls"][0][0] == json!("web"), "{run:#}");
        let served = place.tool("curl", &["-s", place::URL]);
        assert_eq!(served, text, "what was pushed serves");
        println!("run {number}: {:?} from push to passed; seen: {seen:?}", begun.elapsed());
        for stage in run["stages"].as_array().expect("stages") {
            println!(
                "  {:<10} {:>8} ms  {}",
                stage["name"].as_str().unwrap_or_default(),
                stage["milliseconds"],
                stage["summary"].as_str().unwrap_or_default()
            );
        }
    }
    // An error in the Dockerfile stops at lint, with file and line.
    let dockerfile = std::fs::read_to_string(folder.join("Dockerfile")).expect("read");
    std::fs::write(folder.join("Dockerfile"), dockerfile.replace("USER 10001:10001", "WORKDIR relative")).expect("written");
    push("an error");
    place::until("the run ends", Duration::from_secs(60), || get("/api/runs/3")["state"] == json!("failed"));
    let run = get("/api/runs/3");
    let lint = run["stages"].as_array().into_iter().flatten().find(|stage| stage["name"] == json!("lint")).expect("lint").clone();
    let finding = lint["findings"].as_array().into_iter().flatten().find(|finding| finding["rule"] == json!("DL3000")).cloned();
    let finding = finding.unwrap_or_else(|| panic!("{run:#}"));
    assert_eq!((&lint["state"], &finding["place"]["file"], &finding["place"]["line"]), (&json!("failed"), &json!("Dockerfile"), &json!(3)));
    assert_eq!(run["cause"]["exit_code"], json!(1));
    pipeline.end();
}
