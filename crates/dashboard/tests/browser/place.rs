//! A server over a made-up world, and a browser that looks at it.

use crate::chromium::Chromium;
use crate::world::World;
use dashboard::{Options, Pages};
use serde_json::json;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};

/// One browser at a time: times are measured.
static ALONE: Mutex<()> = Mutex::const_new(());

pub struct Place {
    pub world: Arc<World>,
    pub browser: Chromium,
    pub url: String,
    _alone: MutexGuard<'static, ()>,
    _serving: net::Serving,
}

impl Place {
    /// Nothing where there is no browser.
    pub async fn new() -> Option<Self> {
        let alone = ALONE.lock().await;
        let browser = Chromium::start().await?;
        let world = World::rich();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let pages = Pages::new(world.clone(), Options::default());
        let serving = net::serve(listener, None, net::Limits::default(), Arc::new(pages)).expect("served");
        let url = format!("http://{}", serving.address);
        let place = Self { world, browser, url, _alone: alone, _serving: serving };
        place.size(1360, 900, "light").await;
        Some(place)
    }

    /// The same with somebody logged in.
    pub async fn logged_in(token: &str) -> Option<Self> {
        let place = Self::new().await?;
        place.log_in(token).await;
        Some(place)
    }

    pub async fn log_in(&self, token: &str) {
        self.go("/login").await;
        let fill =
            format!("document.querySelector('#token').value = {}; document.querySelector('form.login').requestSubmit(); 1", json!(token));
        self.browser.forget("Page.loadEventFired");
        self.browser.act(&fill).await;
        self.browser.wait_event("Page.loadEventFired").await;
        self.browser.until("document.readyState === 'complete' && !!document.querySelector('.user')").await;
    }

    pub async fn go(&self, path: &str) {
        self.browser.go(&format!("{}{path}", self.url)).await;
    }

    /// The window's size, and what the user prefers.
    pub async fn size(&self, width: u32, height: u32, scheme: &str) {
        let params = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.browser.call("Emulation.setDeviceMetricsOverride", params).await;
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.browser.call("Emulation.setEmulatedMedia", features).await;
    }

    pub async fn is_live(&self) {
        self.browser.until("document.querySelector('#live')?.textContent === 'Live'").await;
    }
}

/// Every view, by a name.
pub fn views() -> Vec<(&'static str, String)> {
    let release = crate::things::releases().remove(0).key;
    let image = crate::things::images().remove(0).id;
    let hostile: String = crate::runs::HOSTILE.bytes().map(|byte| format!("%{byte:02x}")).collect();
    [
        ("runs", "/".to_owned()),
        ("runs-filtered", "/?state=failed&repository=request-info".to_owned()),
        ("run-lint-failed", "/runs/27".to_owned()),
        ("run-rolled-back", "/runs/28".to_owned()),
        ("run-plan", "/runs/29/stages/plan".to_owned()),
        ("run-scan", "/runs/29/stages/scan".to_owned()),
        ("run-deploy", "/runs/29/stages/deploy".to_owned()),
        ("run-check", "/runs/29/stages/check".to_owned()),
        ("run-load", "/runs/29/stages/load".to_owned()),
        ("run-hostile", "/runs/32".to_owned()),
        ("run-hostile-stage", format!("/runs/32/stages/{hostile}")),
        ("run-long-log", "/runs/33".to_owned()),
        ("run-running", "/runs/34".to_owned()),
        ("releases", "/releases".to_owned()),
        ("release", format!("/releases/{}/{}/{}", release.project, release.environment, release.id)),
        ("images", "/images".to_owned()),
        ("image", format!("/images/{image}")),
        ("missing", "/runs/4711".to_owned()),
    ]
    .into()
}
