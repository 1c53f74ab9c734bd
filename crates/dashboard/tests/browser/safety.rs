//! What hostile text, other sites and wrong tokens can do: nothing.

use crate::place::{Place, views};
use crate::runs::HOSTILE;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_text_stays_text_and_nothing_leaves_the_host() {
    let Some(place) = Place::logged_in("operator").await else { return };
    let browser = &place.browser;
    let watch = "addEventListener('securitypolicyviolation', event => (window.violations ??= []).push(event.violatedDirective))";
    browser.call("Page.addScriptToEvaluateOnNewDocument", json!({"source": watch})).await;
    for (name, path) in views() {
        place.go(&path).await;
        let found = browser.eval("[...document.querySelectorAll('script, img, iframe, object, style, [onerror], [style*=expression]')].filter(one => !one.src?.includes('/assets/')).length").await;
        assert_eq!(found, json!(0), "{name}");
        assert_eq!(browser.eval("(window.violations || []).join()").await, json!(""), "{name}");
        let bad = browser.eval("[...document.querySelectorAll('a')].filter(a => !/^https?:$/.test(a.protocol)).map(a => a.href)").await;
        assert_eq!(bad, json!([]), "{name}");
        let hidden = browser.eval("/[\\u202a-\\u202e\\u2066-\\u2069\\u001b]/.test(document.body.textContent)").await;
        assert_eq!(hidden, json!(false), "{name}");
        assert_ne!(browser.eval("document.title").await, json!("owned"), "{name}");
    }
    assert_eq!(outside(&place), Vec::<String>::new());
    assert_eq!(browser.events("Log.entryAdded").iter().filter(|one| one["entry"]["source"] == "security").count(), 0);
}

/// What was asked for from elsewhere.
fn outside(place: &Place) -> Vec<String> {
    let asked = place.browser.events("Network.requestWillBeSent");
    assert!(asked.len() > 20, "{}", asked.len());
    let urls = asked.iter().filter_map(|one| one["request"]["url"].as_str());
    urls.filter(|url| !url.starts_with(&format!("{}/", place.url)) && *url != "about:blank").map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_text_that_comes_live_stays_text() {
    let Some(place) = Place::logged_in("operator").await else { return };
    let id = ci::RunId(34);
    place.go("/runs/34/stages/build").await;
    place.is_live().await;
    place.world.say(id, "build", [HOSTILE.to_owned(), "\u{1b}[31mlast line".to_owned()]);
    place.world.change(id, |run| {
        run.commit.subject = HOSTILE.into();
        run.stages[3].summary = HOSTILE.into();
        run.stages[5].name = HOSTILE.into();
    });
    place.browser.until("document.querySelector('#lines').textContent.includes('last line') && document.querySelector('#panel').textContent.includes('<script>')").await;
    place.go("/").await;
    place.is_live().await;
    place.world.add(|id| crate::runs::begun(id, "request-info", HOSTILE, HOSTILE));
    place.browser.until("document.querySelector('#rows tr').textContent.includes('#36')").await;
    let texts = place
        .browser
        .eval("[document.querySelector('#rows tr .subject').textContent, document.querySelector('#rows tr .branch').textContent]")
        .await;
    assert!(
        texts[0].as_str().is_some_and(|text| text.starts_with("<script>"))
            && texts[1].as_str().is_some_and(|text| text.starts_with("<script>")),
        "{texts}"
    );
    assert_ne!(place.browser.eval("document.title").await, json!("owned"));
    assert_eq!(place.browser.eval("document.querySelectorAll('main script, main img').length").await, json!(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_session_is_nothing_that_scripts_can_read_and_ends_with_its_token() {
    let Some(place) = Place::logged_in("reader").await else { return };
    assert_eq!(place.browser.eval("document.cookie").await, json!(""));
    let cookies = place.browser.call("Network.getCookies", json!({"urls": [place.url]})).await;
    let cookie = &cookies["cookies"][0];
    assert_eq!((&cookie["httpOnly"], &cookie["sameSite"]), (&json!(true), &json!("Strict")), "{cookies}");
    assert_eq!(place.browser.eval("document.querySelectorAll('form[action*=retry], form[action*=cancel]').length").await, json!(0));
    place.world.lock().tokens_gone.push("reader".into());
    place.go("/runs/29").await;
    assert_eq!(place.browser.eval("location.pathname + location.search").await, json!("/login?next=%2Fruns%2F29"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_token_is_refused_and_a_right_one_leads_back() {
    let Some(place) = Place::new().await else { return };
    let browser = &place.browser;
    place.go("/runs/27").await;
    let enter = |token: &'static str| async move {
        browser.forget("Page.loadEventFired");
        browser
            .act(&format!("document.querySelector('#token').value = '{token}'; document.querySelector('form.login').requestSubmit(); 1"))
            .await;
        browser.wait_event("Page.loadEventFired").await;
    };
    enter("nobody").await;
    browser.until("document.querySelector('[role=alert]')?.textContent.includes('not known') ?? false").await;
    enter("operator").await;
    browser.until("location.pathname === '/runs/27' && !!document.querySelector('#run')").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_retry_and_cancel() {
    let Some(place) = Place::logged_in("operator").await else { return };
    let browser = &place.browser;
    place.go("/runs/27").await;
    browser.act("document.querySelector('form[action$=retry] select').value = 'build'; document.querySelector('form[action$=retry] button').click(); 1").await;
    browser.until("location.pathname === '/runs/36' && document.body.textContent.includes('retry of run 27')").await;
    assert!(
        matches!(&place.world.lock().runs[&ci::RunId(36)].trigger, ci::Trigger::Retry { from: Some(from), by, .. } if from == "build" && by == "operator")
    );
    browser.until("document.querySelector('.confirm summary') !== null").await;
    browser
        .act("document.querySelector('.confirm summary').click(); document.querySelector('form[action$=cancel] button').click(); 1")
        .await;
    browser.until("document.querySelector('#run h1')?.textContent.includes('cancelled') ?? false").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_follows_a_link_from_elsewhere_is_known() {
    let Some(place) = Place::logged_in("reader").await else { return };
    // Another site, by another name for this machine.
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = other.local_addr().expect("address").port();
    let html = format!("<a id=go href='{}/runs/29'>go</a>", place.url);
    tokio::spawn(async move {
        loop {
            let Ok((mut stream, _)) = other.accept().await else { return };
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{html}", html.len());
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    place.browser.go(&format!("http://localhost:{port}/")).await;
    place.browser.act("document.querySelector('#go').click()").await;
    place.browser.until("location.pathname === '/runs/29' && document.querySelector('#run') !== null").await;
}
