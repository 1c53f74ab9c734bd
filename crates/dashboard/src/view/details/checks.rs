//! Requests that smoke made, or checks that ran in the image.

use super::{Detail, View, figure, word};
use crate::text;
use base::units::show_duration;
use maud::{Markup, html};
use serde_json::Value;
use std::time::Duration;

pub(super) const DETAIL: Detail = Detail { member: "checks", show };

fn show(_: &View<'_>, checks: &Value) -> Option<Markup> {
    let checks = checks.as_array().filter(|checks| checks.iter().all(|check| check.get("check").is_some()))?;
    Some(html! {
        div.detail {
            h3 { "Checks" }
            div.scroll role="region" aria-label="Checks" tabindex="0" {
                table.list {
                    thead { tr { th scope="col" { "Check" } th scope="col" { "Status" } th scope="col" { "Took" } } }
                    tbody {
                        @for check in checks.iter().take(100) {
                            tr {
                                th scope="row" { code { (text::line(word(check, "check"), 200)) } }
                                td.number { @match check.get("status").and_then(Value::as_i64) { Some(status) => (status), None => "–" } }
                                td.number { @match took(check) { Some(took) => (took), None => "–" } }
                            }
                        }
                    }
                }
            }
        }
    })
}

fn took(check: &Value) -> Option<String> {
    Duration::try_from_secs_f64(figure(check, "took_ms")? / 1e3).ok().map(show_duration)
}
