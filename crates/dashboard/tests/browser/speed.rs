//! How soon a change is seen, and how fluently a long log moves.

use crate::place::Place;
use ci::{RunId, StageState};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_are_seen_at_once() {
    let Some(place) = Place::logged_in("operator").await else { return };
    place.go("/").await;
    place.is_live().await;
    let mut took = Vec::new();
    for round in 0..10 {
        let state = if round % 2 == 0 { StageState::Warned } else { StageState::Running };
        let word = state.name();
        let seen = format!(
            "new Promise(done => {{ const look = () => document.querySelector('#run-34 td[data-label=build]').textContent.includes('{word}') ? done(1) : 0; new MutationObserver(look).observe(document.querySelector('#rows'), {{subtree: true, childList: true, characterData: true}}); look(); }})"
        );
        took.push(measure(&place, &seen, || place.world.change(RunId(34), |run| run.stages[3].state = state)).await);
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    judge("a stage on the board", took);

    place.go("/runs/34").await;
    place.is_live().await;
    let mut took = Vec::new();
    for round in 0..10 {
        let line = format!("the line of round {round}");
        let seen = format!(
            "new Promise(done => {{ const look = () => document.querySelector('#lines').textContent.includes('{line}') ? done(1) : 0; new MutationObserver(look).observe(document.querySelector('#lines'), {{subtree: true, childList: true}}); look(); }})"
        );
        took.push(measure(&place, &seen, || place.world.say(RunId(34), "build", [line.clone()])).await);
    }
    judge("a line of a log", took);
}

/// From the change to the document, the protocol's own way to and fro included.
async fn measure(place: &Place, seen: &str, change: impl FnOnce()) -> Duration {
    let waiting = place.browser.eval(seen);
    let changing = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let began = Instant::now();
        change();
        began
    };
    let ((), began) = tokio::join!(async { drop(waiting.await) }, changing);
    began.elapsed()
}

fn judge(what: &str, mut took: Vec<Duration>) {
    took.sort();
    let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
    println!("{what}: median {median:?}, worst {worst:?}");
    assert!(median < Duration::from_millis(300), "{what}: {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_lines_move_fluently() {
    let Some(place) = Place::logged_in("operator").await else { return };
    let browser = &place.browser;
    place.go("/runs/33").await;
    browser.until("document.querySelectorAll('#lines .l').length === 10000").await;
    let first = browser.eval("[document.querySelector('#lines .l').dataset.n, [...document.querySelectorAll('#lines .l')].every((line, at) => line.dataset.n == at + 1)]").await;
    assert_eq!(first, json!(["1", true]), "every line once, in order");
    // By the clock of its own thread: others that are busy on the machine do not count.
    browser.call("Performance.enable", json!({"timeDomain": "threadTicks"})).await;
    let before = work(browser).await;
    let scroll = "new Promise(done => { const lines = document.querySelector('#lines'); lines.scrollTop = 0; const steps = 240, height = lines.scrollHeight; let at = 0, last = 0; const deltas = [];
        const step = now => { if (last) deltas.push(now - last); last = now; lines.scrollTop = height * at++ / steps; at <= steps ? requestAnimationFrame(step) : done(deltas); }; requestAnimationFrame(step); })";
    let deltas = browser.eval(scroll).await;
    let mut deltas: Vec<f64> = deltas.as_array().expect("frames").iter().filter_map(serde_json::Value::as_f64).collect();
    deltas.sort_by(f64::total_cmp);
    let at = |part: f64| deltas[((deltas.len() - 1) as f64 * part) as usize];
    let each = (work(browser).await - before) * 1_000.0 / deltas.len() as f64;
    println!(
        "10,000 lines: {each:.1} ms of work a frame; frames by the screen's clock: median {:.1} ms, 95 % {:.1} ms, worst {:.1} ms",
        at(0.5),
        at(0.95),
        at(1.0)
    );
    assert!(deltas.len() >= 239 && each > 0.0 && each < 16.0, "{each} ms a frame");
}

/// What the page's thread has worked, in seconds.
async fn work(browser: &crate::chromium::Chromium) -> f64 {
    let metrics = browser.call("Performance.getMetrics", json!({})).await;
    let named = |name: &str| {
        metrics["metrics"].as_array().into_iter().flatten().find(|one| one["name"] == name).and_then(|one| one["value"].as_f64())
    };
    named("TaskDuration").expect("a figure")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_grows_is_followed_and_bounded() {
    let Some(place) = Place::logged_in("operator").await else { return };
    let browser = &place.browser;
    place.go("/runs/34").await;
    place.is_live().await;
    for batch in 0..60 {
        place.world.say(RunId(34), "build", (0..1_000).map(|line| format!("batch {batch} line {line}")));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    browser.until("document.querySelector('#lines').textContent.includes('batch 59 line 999')").await;
    let figures = browser.eval("[document.querySelectorAll('#lines .l').length, document.querySelector('#lines').scrollHeight - document.querySelector('#lines').scrollTop - document.querySelector('#lines').clientHeight]").await;
    assert!(figures[0].as_u64().is_some_and(|lines| lines <= 20_200) && figures[1].as_f64().is_some_and(|left| left < 60.0), "{figures}");
    // Who scrolls up is left alone.
    browser.eval("document.querySelector('#lines').scrollTop = 100").await;
    browser.until("!document.querySelector('#follow').checked").await;
    place.world.say(RunId(34), "build", ["the very last".to_owned()]);
    browser.until("document.querySelector('#lines').textContent.includes('the very last')").await;
    assert!(browser.eval("document.querySelector('#lines').scrollTop").await.as_f64().is_some_and(|top| top < 4_500.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_followed_to_the_stage_that_fails() {
    let Some(place) = Place::logged_in("operator").await else { return };
    place.go("/runs/34").await;
    place.is_live().await;
    place.world.say(RunId(34), "scan", ["scanning".to_owned()]);
    place.world.change(RunId(34), |run| {
        run.stages[3].state = StageState::Done;
        run.stages[4].state = StageState::Running;
    });
    place.browser.until("document.querySelector('#panel h2').textContent.startsWith('scan') && document.querySelector('#lines').textContent.includes('scanning')").await;
    place.world.change(RunId(34), |run| crate::runs::fail(run, "scan", "2 high", "scan: 2 findings are high", "raise them"));
    place.browser.until("document.querySelector('#run h1').textContent.includes('failed') && document.querySelector('.cause').textContent.includes('2 findings are high') && document.querySelector('#live').hidden").await;
    assert!(
        place.browser.eval("document.querySelector('#say').textContent").await.as_str().is_some_and(|said| said.contains("scan: failed."))
    );
}
