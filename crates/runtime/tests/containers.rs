//! Containers as programs see them: what they get, what they may do, how they end.

#[path = "support/place.rs"]
mod support;

use runtime::*;
use support::place;

#[tokio::test(flavor = "multi_thread")]
async fn runs_a_program_and_tells_how_it_ended() {
    let Some(place) = place("run").await else { return };
    let pod = place.pod("one");
    let (exit, said) = place.run(&pod, &place.sh("one", "main", "echo out; echo err >&2; exit 7")).await.expect("ran");
    assert_eq!((exit.code, exit.signal, exit.oom_killed), (7, None, false));
    assert!(said.contains("out\n") && said.contains("err\n"), "{said}");
    place.end().await;
}
