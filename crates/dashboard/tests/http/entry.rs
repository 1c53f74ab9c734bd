//! Who is let in.

use crate::asked::Asked;
use dashboard::Options;
use http::StatusCode;
use std::time::Duration;

#[tokio::test]
async fn nobody_sees_anything_without_a_token() {
    let asked = Asked::new();
    for (path, leads_to) in [("/", "/login"), ("/runs/7?x=1", "/login?next=%2Fruns%2F7%3Fx%3D1"), ("/images", "/login?next=%2Fimages")] {
        let answer = asked.get(path).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, leads_to), "{path}");
    }
    for path in ["/events", "/runs/7/events", "/runs/33/stages/build/log"] {
        assert_eq!(asked.get(path).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    for path in ["/runs/7/retry", "/runs/34/cancel", "/logout"] {
        assert_eq!(asked.post(path, "token=x").await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(asked.get("/other").await.status, StatusCode::NOT_FOUND);
    assert_eq!(asked.get("/login").await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_answer_tells_browsers_what_they_may() {
    let asked = Asked::logged_in("operator").await;
    for path in ["/", "/runs/27", "/other", "/login", "/runs/33/stages/build/log", "/runs/29/artefacts/junit.xml"] {
        let answer = asked.get(path).await;
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
        assert_eq!((answer.header("x-content-type-options"), answer.header("referrer-policy")), ("nosniff", "same-origin"), "{path}");
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
    }
    let page = asked.get("/").await.text;
    let (_, style) = page.split_once("<link rel=\"stylesheet\" href=\"").expect("a stylesheet");
    let style = asked.get(style.split('"').next().expect("a path")).await;
    assert_eq!((style.status, style.header("content-type")), (StatusCode::OK, "text/css; charset=utf-8"));
    assert!(style.header("cache-control").contains("immutable"));
    assert_eq!(asked.get("/assets/pages.000000000000.css").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn other_sites_and_other_names_are_refused() {
    let asked = Asked::logged_in("operator").await;
    assert_eq!(asked.ask("GET", "/", &[("host", "evil.example")], "").await.status, StatusCode::MISDIRECTED_REQUEST);
    let token = asked.form_token().await;
    let form = format!("token={token}");
    for headers in [&[][..], &[("origin", "http://evil.example")][..], &[("origin", "null")][..]] {
        assert_eq!(asked.ask("POST", "/runs/34/cancel", headers, &form).await.status, StatusCode::FORBIDDEN, "{headers:?}");
    }
    assert_eq!(asked.post("/runs/34/cancel", "token=wrong").await.status, StatusCode::FORBIDDEN);
    assert_eq!(asked.post("/runs/34/cancel", "").await.status, StatusCode::FORBIDDEN);
    assert_eq!(asked.get("/runs/34/cancel").await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(asked.ask("DELETE", "/runs/34", &[("origin", "http://ci.example.com")], "").await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(!asked.world.lock().runs[&ci::RunId(34)].state.has_ended());
    assert_eq!(asked.post("/runs/34/cancel", &form).await.status, StatusCode::SEE_OTHER);
    assert_eq!(asked.post("/runs/34/cancel", &form).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn who_may_only_look_changes_nothing() {
    let asked = Asked::logged_in("reader").await;
    let form = format!("token={}", asked.form_token().await);
    for path in ["/runs/34/cancel", "/runs/27/retry"] {
        assert_eq!(asked.post(path, &form).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert!(!asked.get("/runs/27").await.text.contains("/retry"));
}

#[tokio::test]
async fn guesses_are_few() {
    let asked = Asked::new();
    for _ in 0..10 {
        assert_eq!(asked.log_in("guess").await.status, StatusCode::FORBIDDEN);
    }
    let refused = asked.log_in("operator").await;
    assert_eq!((refused.status, refused.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "60"));
    asked.clock.forward(Duration::from_secs(60));
    assert_eq!(asked.log_in("operator").await.status, StatusCode::SEE_OTHER);
    let large = format!("token={}", "x".repeat(100_000));
    assert_eq!(asked.post("/login", &large).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn sessions_end() {
    let asked = Asked::logged_in("operator").await;
    assert_eq!(asked.get("/").await.status, StatusCode::OK);
    asked.clock.forward(Duration::from_secs(12 * 3600));
    assert_eq!(asked.get("/").await.status, StatusCode::SEE_OTHER);
    let asked = Asked::logged_in("operator").await;
    let form = format!("token={}", asked.form_token().await);
    let out = asked.post("/logout", &form).await;
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(asked.get("/").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn by_https_the_cookie_is_bound_to_it() {
    let asked = Asked::with(Options { https: true, ..Options::default() });
    let answer = asked.log_in("reader").await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-wharf=") && cookie.contains("; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
}
