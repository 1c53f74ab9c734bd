//! What every view is like: its weight, its names for those who do not see it, and a picture where `WHARF_TEST_SCREENSHOTS` names a folder.

use crate::place::{Place, views};
use base64::Engine;
use serde_json::{Value, json};

/// Bytes of a page with its style and script.
const LARGEST: u64 = 100_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_view_is_light() {
    let Some(place) = Place::logged_in("operator").await else { return };
    let browser = &place.browser;
    browser.call("Network.setCacheDisabled", json!({"cacheDisabled": true})).await;
    for (name, path) in views() {
        browser.forget("Network.loadingFinished");
        browser.forget("Network.requestWillBeSent");
        place.go(&path).await;
        let is_of_page = |id: &Value| {
            let asked = browser.events("Network.requestWillBeSent");
            let of = asked.iter().find(|asked| asked["requestId"] == *id);
            of.is_some_and(|asked| matches!(asked["type"].as_str(), Some("Document" | "Stylesheet" | "Script" | "Image" | "Other")))
        };
        let finished = browser.events("Network.loadingFinished");
        let weight: u64 = finished
            .iter()
            .filter(|one| is_of_page(&one["requestId"]))
            .map(|one| one["encodedDataLength"].as_f64().unwrap_or(0.0) as u64)
            .sum();
        println!("{name}: {weight} bytes");
        assert!((5_000..LARGEST).contains(&weight), "{name} is {weight} bytes");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_has_a_name_for_who_does_not_see_it() {
    let Some(place) = Place::logged_in("operator").await else { return };
    for (name, path) in views() {
        place.go(&path).await;
        let tree = place.browser.call("Accessibility.getFullAXTree", json!({})).await;
        let nodes = tree["nodes"].as_array().expect("nodes");
        let shown: Vec<&Value> = nodes.iter().filter(|node| node["ignored"] != json!(true)).collect();
        let role = |node: &Value| node["role"]["value"].as_str().unwrap_or_default().to_owned();
        for node in &shown {
            let must =
                ["button", "link", "textbox", "combobox", "checkbox", "region", "navigation", "heading", "columnheader", "rowheader"];
            let said = node["name"]["value"].as_str().unwrap_or_default().trim();
            assert!(!must.contains(&role(node).as_str()) || !said.is_empty(), "{name}: a {} has no name: {node}", role(node));
        }
        let count = |wanted: &str| shown.iter().filter(|node| role(node) == wanted).count();
        assert_eq!((count("main"), count("banner")), (1, 1), "{name}");
        let headings = place.browser.eval("document.querySelectorAll('h1').length").await;
        assert_eq!(headings, json!(1), "{name}");
        let unnamed =
            place.browser.eval("[...document.querySelectorAll('table')].filter(table => !table.querySelector('th[scope]')).length").await;
        assert_eq!(unnamed, json!(0), "{name}: a table without headers");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_wider_than_a_narrow_screen() {
    let Some(place) = Place::logged_in("operator").await else { return };
    place.size(390, 800, "light").await;
    for (name, path) in views() {
        place.go(&path).await;
        let width = place.browser.eval("document.documentElement.scrollWidth").await;
        assert!(width.as_u64().is_some_and(|width| width <= 390), "{name} is {width} wide");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn light_and_dark_are_kept() {
    let Some(place) = Place::logged_in("reader").await else { return };
    let background = "getComputedStyle(document.body).backgroundColor";
    let light = place.browser.eval(background).await;
    place.browser.eval("document.querySelector('#theme').click()").await;
    let dark = place.browser.eval(background).await;
    assert_ne!(light, dark);
    place.go("/releases").await;
    assert_eq!(
        (place.browser.eval(background).await, place.browser.eval("document.querySelector('#theme').textContent").await),
        (dark, json!("Light"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_for_who_asks() {
    let Some(folder) = std::env::var_os("WHARF_TEST_SCREENSHOTS").map(std::path::PathBuf::from) else { return };
    let Some(place) = Place::new().await else { return };
    shoot(&place, &folder, "login", "/login").await;
    place.log_in("operator").await;
    for (name, path) in views() {
        shoot(&place, &folder, name, &path).await;
    }
}

async fn shoot(place: &Place, folder: &std::path::Path, name: &str, path: &str) {
    for (look, width, scheme) in [("light", 1360, "light"), ("dark", 1360, "dark"), ("narrow", 390, "light")] {
        place.size(width, 900, scheme).await;
        place.go(path).await;
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        let picture = place.browser.call("Page.captureScreenshot", json!({"format": "png", "captureBeyondViewport": false})).await;
        let bytes = base64::engine::general_purpose::STANDARD.decode(picture["data"].as_str().expect("a picture")).expect("base64");
        std::fs::create_dir_all(folder).and_then(|()| std::fs::write(folder.join(format!("{name}-{look}.png")), bytes)).expect("written");
    }
}
