//! What else a stage tells, in its own shape: each shape that is known is a file in `details/` and a line in [`DETAILS`].

mod checks;
mod images;
mod loads;
mod plan;
mod pods;
mod tested;

use super::View;
use crate::text;
use maud::{Markup, html};
use serde_json::Value;

/// A shape: the member of the detail that has it, and what it looks like.
struct Detail {
    /// The member's name.
    member: &'static str,
    /// Shows it; nothing where it is of another shape.
    show: fn(&View<'_>, &Value) -> Option<Markup>,
}

const DETAILS: &[Detail] = &[pods::DETAIL, plan::DETAIL, loads::DETAIL, checks::DETAIL, tested::DETAIL, images::DETAIL];

/// Members that are shown elsewhere.
const ELSEWHERE: [&str; 1] = ["findings"];

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

/// The figure of a member.
fn figure(value: &Value, member: &str) -> Option<f64> {
    value.get(member).and_then(Value::as_f64)
}

#[cfg(test)]
mod shapes {
    use super::*;
    use crate::session::Session;
    use crate::source::{Role, User};
    use base::Timestamp;
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

    #[test]
    fn pods_are_shown_one_by_one() {
        let pods = json!({"pods": [
            {"name": "web-1", "release": "r2", "node": "n", "ready": true, "state": "Running", "since": "1970-01-01T00:00:30Z"},
            {"name": "web-<i>", "release": "r1", "node": "n", "ready": false, "state": "CrashLoopBackOff", "reason": "exit 1", "since": 30_000_000}]});
        let html = shown(&pods);
        assert!(html.contains("1 of 2 ready") && html.contains("web-&lt;i&gt;") && html.contains("exit 1"), "{html}");
        assert_eq!(html.matches("1 min ago").count(), 2, "{html}");
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
