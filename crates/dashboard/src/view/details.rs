//! What else a stage tells, in its own shape: each shape that is known is a file in `details/` and a line in [`DETAILS`].

mod advisories;
mod checks;
mod images;
mod loads;
mod plan;
mod pods;
mod scans;
mod tested;

use super::View;
use crate::text;
use base::Timestamp;
use maud::{Markup, html};
use serde_json::Value;

/// A shape: the member of the detail that has it, and what it looks like.
struct Detail {
    /// The member's name.
    member: &'static str,
    /// Shows it; nothing where it is of another shape.
    show: fn(&View<'_>, &Value) -> Option<Markup>,
}

const DETAILS: &[Detail] =
    &[pods::DETAIL, plan::DETAIL, loads::DETAIL, checks::DETAIL, tested::DETAIL, images::DETAIL, advisories::DETAIL, scans::DETAIL];

/// Members that are shown elsewhere: advice on bases is told as findings.
const ELSEWHERE: [&str; 2] = ["findings", "bases"];

/// Everything that a stage tells; what has no known shape is shown as it is.
pub(super) fn all(view: &View<'_>, detail: &Value) -> Markup {
    let Some(members) = detail.as_object() else {
        return if detail.is_null() {
            html! {}
        } else {
            others(&[("detail", detail)])
        };
    };
    let mut shown = Vec::new();
    let known: Vec<Markup> = DETAILS
        .iter()
        .filter_map(|shape| {
            let markup = (shape.show)(view, members.get(shape.member)?)?;
            shown.push(shape.member);
            Some(markup)
        })
        .collect();
    let is_other = |name: &str| !shown.contains(&name) && !ELSEWHERE.contains(&name);
    let others: Vec<(&str, &Value)> =
        members.iter().map(|(name, value)| (name.as_str(), value)).filter(|(name, _)| is_other(name)).collect();
    html! { @for markup in known { (markup) } @if !others.is_empty() { (self::others(&others)) } }
}

fn others(members: &[(&str, &Value)]) -> Markup {
    html! {
        details.others {
            summary { "Further details" }
            dl.facts.across {
                @for (name, value) in members.iter().take(60) {
                    dt { (text::name(name)) }
                    dd { @match value { Value::String(text) => bdi { (text::block(text, 1_000)) }, other => code.value { (text::block(&other.to_string(), 1_000)) } } }
                }
            }
        }
    }
}

/// The text of a member; empty where it has none.
fn word<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// A value in a few words: texts without their quotes.
fn brief(value: &Value, most: usize) -> String {
    match value {
        Value::String(text) => text::block(text, most).into_owned(),
        other => text::block(&other.to_string(), most).into_owned(),
    }
}

/// RFC 3339, or microseconds.
fn moment(value: &Value) -> Option<Timestamp> {
    value.as_str().and_then(Timestamp::parse_rfc3339).or_else(|| value.as_i64().map(Timestamp::from_micros))
}

/// The figure of a member.
fn figure(value: &Value, member: &str) -> Option<f64> {
    value.get(member).and_then(Value::as_f64)
}

#[cfg(test)]
mod shapes {
    use super::*;
    use crate::session::Session;
    use crate::source::{Role, User};
    use delivery::rollout::PodSeen;
    use serde_json::json;

    fn shown(detail: &Value) -> String {
        let user = User { name: "ann".into(), role: Role::Reader };
        let session = Session { user, form_token: String::new(), until: Timestamp::default() };
        all(&View { session: &session, now: Timestamp::from_micros(90_000_000) }, detail).into_string()
    }

    #[test]
    fn nothing_that_a_stage_tells_is_left_out() {
        let html = shown(&json!({"pods": "none of this shape", "other": {"a": ["<b>"]}, "findings": []}));
        assert!(html.contains("none of this shape") && html.contains("&lt;b&gt;") && !html.contains("findings"), "{html}");
        assert_eq!(shown(&Value::Null), "");
        assert!(shown(&json!("text")).contains("text"));
    }

    /// As a rollout tells it: the pages show what the program sends, and nothing else.
    fn pod(name: &str, newest: bool, ready: bool) -> PodSeen {
        PodSeen {
            workload: "Deployment shop/web".to_owned(),
            name: name.to_owned(),
            newest,
            node: "n<o>de".to_owned(),
            ready,
            state: if ready { "Running" } else { "CrashLoopBackOff" }.to_owned(),
            restarts: if ready { 0 } else { 7 },
            since: "1970-01-01T00:00:30Z".to_owned(),
        }
    }

    #[test]
    fn pods_are_shown_one_by_one() {
        let other = PodSeen { workload: "StatefulSet shop/db".to_owned(), ..pod("db-0", true, true) };
        let html = shown(&json!({"pods": [pod("web-<i>", true, false), pod("web-3", true, true), pod("web-1", false, true), other]}));
        for part in [
            "2 of 3 pods of the newest release ready, 1 of the one before still there",
            "Deployment shop/web</bdi> <span class=\"meta\">1 of 2 pods of the newest release ready, 1 of the one before",
            "StatefulSet shop/db</bdi> <span class=\"meta\">1 of 1 pods of the newest",
            "web-&lt;i&gt;",
            "n&lt;o&gt;de",
            "CrashLoopBackOff",
            "<td class=\"number\">7</td>",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        let count = |text: &str| html.matches(text).count();
        assert_eq!((count("1 min ago"), count("<strong>newest"), count("\">before<")), (4, 3, 1), "{html}");
    }

    #[test]
    fn of_many_pods_those_that_are_not_ready_are_shown() {
        let many: Vec<PodSeen> = (0..90).map(|at| pod(&format!("web-{at}."), true, at != 88)).collect();
        let html = shown(&json!({"pods": many}));
        assert!(html.contains("web-0.") && html.contains("web-88.") && !html.contains("web-87."), "{html}");
        assert!(html.contains("89 of 90 pods of the newest release ready") && html.contains("and 50 more"), "{html}");
    }

    #[test]
    fn a_scan_shows_what_is_known_against_each_image() {
        let found = |id: &str, severity: &str, fixed: Option<&str>| {
            json!({"id": id, "aliases": ["CVE-2026-7"], "ecosystem": "Debian:12", "package": "libssl3<b>", "version": "3.0.15", "fixed": fixed,
                "severity": severity, "status": scanner::matching::Status::WillNotFix, "layer": 2, "file": "var/lib/dpkg/status"})
        };
        let html = shown(&json!({
            "advisories": {"created": "1970-01-01T00:00:30Z", "fresh_until": "1970-01-09T00:00:30Z", "sequence": 3, "advisories": 90_000, "packages": 40_000},
            "images": {
                "db": {"image": "sha256:bb", "packages": 7, "vulnerabilities": [], "left_out": 0, "ignored": [], "unjudged_packages": 2, "unjudged": []},
                "web": {"image": "sha256:aa", "packages": 1212, "left_out": 3,
                    "vulnerabilities": [found("DSA-1", "high", Some("3.0.17")), found("DSA-2", "low", None)],
                    "ignored": [{"id": "DSA-2", "reason": "no attacker gets there"}]}},
            "bases": [{"rule": "base"}]}));
        for part in [
            "libssl3&lt;b&gt;",
            "DSA-1",
            "CVE-2026-7",
            "3.0.17",
            "will not be fixed",
            "layer 2",
            "var/lib/dpkg/status",
            "no attacker gets there",
            "1,212 packages, 1 ignored",
            "and 3 more",
            "7 packages, nothing known against them, 2 not judged",
            "href=\"/images/sha256%3Aaa\"",
            "1 min ago",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(!html.contains("Cached") && !html.contains("Further details"), "{html}");
        // However much is known, a page stays small; and a build's images are no scan's.
        let many: Vec<Value> = (0..400).map(|_| found("DSA-1", "high", None)).collect();
        let image = json!({"packages": 1, "vulnerabilities": many});
        let html = shown(&json!({"images": {"a": image, "b": image}}));
        assert!(html.matches("DSA-1").count() == 60 && html.contains("and 340 more") && html.contains("and 400 more"), "{}", html.len());
        assert!(shown(&json!({"images": {"web": {"image": "sha256:aa", "steps": 3, "cached": 1}}})).contains("Cached"));
    }

    #[test]
    fn plans_show_what_changes() {
        let plan = json!({"plan": {"objects": [
            {"object": "Deployment p/web", "change": "changed", "fields": [{"path": "spec.image", "before": "a", "after": "<b>"}]},
            {"object": "Service p/web", "change": "unchanged", "fields": []}]}});
        let html = shown(&plan);
        assert!(html.contains("spec.image") && html.contains("&lt;b&gt;") && html.contains("1 unchanged"), "{html}");
    }

    #[test]
    fn checks_show_requests_and_commands() {
        let html = shown(&json!({"checks": [{"check": "GET web/", "status": 200, "took_ms": 4.25}]}));
        assert!(html.contains("GET web/") && html.contains("200") && html.contains("4.2 ms"), "{html}");
        let html = shown(
            &json!({"checks": [{"image": "web", "target": "lint", "run": "cargo clippy", "passed_before": false, "said": ["\u{1b}[32mok<b>"]}]}),
        );
        assert!(
            html.contains("target <bdi>lint</bdi>")
                && html.contains("cargo clippy")
                && html.contains("<span class=\"f2\">ok&lt;b&gt;</span>"),
            "{html}"
        );
    }

    #[test]
    fn loads_show_their_figures() {
        let html = shown(&json!({"loads": [{"method": "GET", "url": "http://h/", "requests": 500, "failed": 2, "rate": 1234.5,
            "p50_us": 900.0, "p99_us": 2500.0, "max_us": 7000.0, "verdict": "limits not kept"}]}));
        assert!(html.contains("2.5 ms") && html.contains("limits not kept") && html.contains("500"), "{html}");
    }
}
