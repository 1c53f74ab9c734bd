//! Deploys that are killed at a write, before the cluster has it and after: the next run completes them or goes back, and all the
//! while what serves goes on serving.

#![allow(clippy::print_stdout, reason = "figures")]

use super::between::{Between, When};
use super::delivering::{again, edit, loads, url};
use super::place::Place;
use std::time::{Duration, Instant};

/// Kills deploys at so many of their writes, spread over all of them; `None` at each.
pub fn at_writes(place: &Place, points: Option<u32>) {
    place.well(&["up"]);
    // What a deploy writes differs a little with the time that it takes.
    let writes = writes_of(place);
    let step = points.map_or(1, |points| (writes / points).max(1));
    let lasts = Duration::from_secs(u64::from(writes / step + 1) * 2 * 25);
    let (url, begun) = (url(place), Instant::now());
    let load = loads(place, &url, lasts, &["40"]);
    let mut round = 1;
    for at in (1..=writes).step_by(usize::try_from(step).expect("a step")) {
        for when in [When::Before, When::After] {
            let text = |round: u32| format!("hello {round}.");
            greet(place, &text(round - 1), &text(round));
            let Some(request) = Between::new(place, at, when).run(place, &["up"]) else {
                println!("write {at} of {writes}: the deploy had fewer");
                round += 1;
                continue;
            };
            // Now and then it is not gone on with, but taken back.
            let back = at % 3 == 0;
            if back {
                greet(place, &text(round), &text(round - 1));
            } else {
                round += 1;
            }
            let next = Instant::now();
            place.well(&["up"]);
            println!("killed {when:?} write {at}, {request}: {} in {:?}", if back { "undone" } else { "completed" }, next.elapsed());
            let answer = place.tool("curl", &["-s", &url]);
            assert_eq!(answer, text(round - 1), "{when:?} write {at}, {request}");
            assert!(place.kubectl(&["get", "leases", "-n", "tiny", "-o", "name"]).is_empty(), "a lock of {when:?} {request}");
            again(place);
        }
    }
    assert!(begun.elapsed() < lasts, "the load ended before the last deploy: {:?}", begun.elapsed());
    load.end();
    greet(place, &format!("hello {}.", round - 1), "hello one");
}

/// How many writes a deploy sends.
fn writes_of(place: &Place) -> u32 {
    greet(place, "hello one", "hello 0.");
    let between = Between::new(place, u32::MAX, When::Before);
    assert_eq!(between.run(place, &["up"]), None);
    between.writes()
}

fn greet(place: &Place, from: &str, to: &str) {
    for file in ["www/index.html", "wharf.yaml"] {
        edit(place, file, from, to);
    }
}

/// At how many writes a deploy is killed: WHARF_TEST_KILLS, else as many as are usual; `None` is all of them.
pub fn points(usual: Option<u32>) -> Option<u32> {
    std::env::var("WHARF_TEST_KILLS").ok().map(|text| text.parse().expect("WHARF_TEST_KILLS is a number")).or(usual)
}
