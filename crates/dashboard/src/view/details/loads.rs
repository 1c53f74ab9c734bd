//! Figures of a load.

use super::{Detail, View, figure, word};
use crate::text;
use crate::view::states;
use base::units::show_duration;
use maud::{Markup, html};
use serde_json::Value;
use std::time::Duration;

pub(super) const DETAIL: Detail = Detail { member: "loads", show };

const TIMES: [(&str, &str); 4] =
    [("p50_us", "half within"), ("p95_us", "95 % within"), ("p99_us", "99 % within"), ("max_us", "all within")];

fn show(_: &View<'_>, loads: &Value) -> Option<Markup> {
    let loads = loads.as_array()?;
    Some(html! { div.detail { h3 { "Load" } @for load in loads.iter().take(20) { (one(load)) } } })
}

fn one(load: &Value) -> Markup {
    let longest = TIMES.iter().filter_map(|(member, _)| figure(load, member)).fold(1.0, f64::max);
    let count = |member: &str| load.get(member).and_then(Value::as_u64);
    html! {
        div.load {
            p { bdi { code { (text::name(word(load, "method"))) " " (text::line(word(load, "url"), 160)) } } " " (states::word(word(load, "verdict"))) }
            ul.figures {
                @for (member, name) in [("requests", "requests"), ("failed", "failed"), ("retried", "sent twice"), ("concurrency", "connections")] {
                    @if let Some(count) = count(member) { li { strong { (text::number(count)) } " " (name) } }
                }
                @if let Some(rate) = figure(load, "rate") { li { strong { (text::number(rate.max(0.0) as u64)) } " a second" } }
                @if let Some(seconds) = figure(load, "seconds") { li { strong { (format!("{seconds:.1}")) } " s long" } }
            }
            table.bars {
                caption.unseen { "Times to answer" }
                tbody {
                    @for (member, name) in TIMES {
                        @if let Some(micros) = figure(load, member) {
                            tr {
                                th scope="row" { (name) }
                                td.number { (show_duration(Duration::try_from_secs_f64(micros / 1e6).unwrap_or_default())) }
                                td.picture { svg.bar viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" { rect width=(format!("{:.1}", (micros / longest * 100.0).clamp(0.5, 100.0))) height="4" rx="1" {} } }
                            }
                        }
                    }
                }
            }
        }
    }
}
