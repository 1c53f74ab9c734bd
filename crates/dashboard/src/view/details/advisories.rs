//! The advisories that a scan asked.

use super::{Detail, View, moment};
use crate::text;
use crate::view::times;
use maud::{Markup, html};
use serde_json::Value;

pub(super) const DETAIL: Detail = Detail { member: "advisories", show };

fn show(view: &View<'_>, head: &Value) -> Option<Markup> {
    let created = head.get("created").and_then(moment)?;
    let count = |member: &str| head.get(member).and_then(Value::as_u64);
    Some(html! {
        p.meta {
            "By the advisories of " (times::exactly(created)) " (" (times::ago(created, view.now)) ")"
            @if let (Some(advisories), Some(packages)) = (count("advisories"), count("packages")) {
                ": " (text::number(advisories)) " advisories of " (text::number(packages)) " packages"
            }
        }
    })
}
