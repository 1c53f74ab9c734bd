//! With the keyboard alone.

use crate::place::{Place, views};
use serde_json::json;

/// A name for an element that says which it is.
const NAME: &str =
    "(one => one === document.body || !one ? 'body' : (one.dataset.seen ||= String(window.count = (window.count || 0) + 1)))";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_reached_and_seen_to_be() {
    let Some(place) = Place::logged_in("operator").await else { return };
    for (name, path) in
        views().into_iter().filter(|(name, _)| ["runs", "run-lint-failed", "run-running", "run-plan", "release", "image"].contains(name))
    {
        place.go(&path).await;
        let browser = &place.browser;
        let wanted = browser
            .eval(
                "[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, summary, [tabindex=\"0\"]')]
                    .filter(one => one.checkVisibility() && !one.disabled).length",
            )
            .await
            .as_u64()
            .expect("a count");
        let mut reached = std::collections::BTreeSet::new();
        let mut unseen = Vec::new();
        for _ in 0..wanted + 5 {
            browser.key("Tab", 9).await;
            let found = browser
                .eval(&format!("(() => {{ const one = document.activeElement, style = getComputedStyle(one); return [{NAME}(one), one.outerHTML.slice(0, 120), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2]; }})()"))
                .await;
            let id = found[0].as_str().expect("a name").to_owned();
            if id == "body" {
                continue;
            }
            if found[2] != json!(true) {
                unseen.push(found[1].to_string());
            }
            reached.insert(id);
        }
        println!("{name}: {} of {wanted} reached", reached.len());
        assert!(unseen.is_empty(), "{name}: no visible focus: {unseen:?}");
        let missed = browser
            .eval(
                "[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, summary, [tabindex=\"0\"]')]
                    .filter(one => one.checkVisibility() && !one.disabled && !one.dataset.seen).map(one => one.outerHTML.slice(0, 160))",
            )
            .await;
        assert_eq!(missed, json!([]), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_stage_is_opened_by_keys_alone() {
    let Some(place) = Place::logged_in("operator").await else { return };
    let browser = &place.browser;
    place.go("/").await;
    browser.key("Tab", 9).await;
    assert_eq!(browser.eval("document.activeElement.textContent").await, json!("Skip to content"));
    browser.forget("Page.loadEventFired");
    for _ in 0..600 {
        browser.key("Tab", 9).await;
        if browser.eval("document.activeElement.getAttribute('href')").await == json!("/runs/27/stages/lint") {
            break;
        }
    }
    browser.key("Enter", 13).await;
    browser.wait_event("Page.loadEventFired").await;
    browser.until("document.querySelector('.source .hit .t')?.textContent.trim() === 'WORKDIR app'").await;
}
