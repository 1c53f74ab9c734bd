//! Without the script, and for who wants nothing to move.

use crate::place::Place;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_there_without_the_script() {
    let Some(place) = Place::logged_in("operator").await else { return };
    let browser = &place.browser;
    browser.call("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    place.go("/").await;
    assert_eq!(
        browser.eval("[document.querySelector('#theme').hidden, document.querySelectorAll('#rows tr').length]").await,
        json!([true, 20])
    );
    place.go("/runs/33").await;
    let shown = browser.eval("[...document.querySelectorAll('#lines .l')].map(line => Number(line.dataset.n))").await;
    let (first, last) =
        (shown[0].as_u64().expect("a line"), shown.as_array().and_then(|lines| lines.last()).and_then(|line| line.as_u64()));
    assert_eq!(last, Some(10_000));
    // Back and forth by links.
    browser.act("document.querySelector('#earlier').click()").await;
    browser.until(&format!("Number(document.querySelector('#lines .l')?.dataset.n) < {first}")).await;
    browser.act("document.querySelector('#later').click()").await;
    browser.until("document.querySelector('#lines .l') !== null && location.search.startsWith('?line=')").await;
    // What people do is done by forms.
    place.go("/runs/27").await;
    browser.act("document.querySelector('form[action$=retry] button').click()").await;
    browser.until("location.pathname === '/runs/36' && !!document.querySelector('#run')").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_runs_pulses_only_for_who_likes_it() {
    let Some(place) = Place::logged_in("reader").await else { return };
    place.go("/runs/34").await;
    let moves = "getComputedStyle(document.querySelector('.strip .running')).animationName";
    assert_eq!(place.browser.eval(moves).await, json!("pulse"));
    let features = json!({"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]});
    place.browser.call("Emulation.setEmulatedMedia", features).await;
    assert_eq!(place.browser.eval(moves).await, json!("none"));
}
