//! A rollout, pod by pod.

use super::{Detail, View, word};
use crate::text;
use crate::view::{states, times};
use base::Timestamp;
use maud::{Markup, html};
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) const DETAIL: Detail = Detail { member: "pods", show };

/// Pods that are shown: of many, those that are not ready yet.
const MOST: usize = 40;

fn show(view: &View<'_>, pods: &Value) -> Option<Markup> {
    let pods = pods.as_array()?;
    let ready = pods.iter().filter(|pod| is_ready(pod)).count();
    let mut releases: BTreeMap<&str, usize> = BTreeMap::new();
    pods.iter().for_each(|pod| *releases.entry(word(pod, "release")).or_default() += 1);
    let of = releases
        .iter()
        .take(6)
        .map(|(release, count)| format!("{count} of release {}", text::line(release, 24)))
        .collect::<Vec<_>>()
        .join(", ");
    let mut shown: Vec<&Value> = pods.iter().collect();
    if shown.len() > MOST {
        shown.sort_by_key(|pod| is_ready(pod));
        shown.truncate(MOST);
    }
    Some(html! {
        div.detail {
            h3 { "Rollout" }
            p.summary { (ready) " of " (pods.len()) " ready" @if !pods.is_empty() { "; " (of) } }
            div.scroll role="region" aria-label="Pods" tabindex="0" {
                table.list {
                    thead { tr { @for name in ["Pod", "State", "Ready", "Release", "Node", "Since"] { th scope="col" { (name) } } } }
                    tbody { @for pod in &shown { (row(view, pod)) } }
                }
            }
            @if pods.len() > MOST { p.meta { "and " (pods.len() - MOST) " more" } }
        }
    })
}

fn is_ready(pod: &Value) -> bool {
    pod.get("ready").and_then(Value::as_bool).unwrap_or(false)
}

fn row(view: &View<'_>, pod: &Value) -> Markup {
    let since = pod.get("since").and_then(moment);
    html! {
        tr {
            th scope="row" { bdi { (text::name(word(pod, "name"))) } }
            td { (states::word(word(pod, "state"))) @if !word(pod, "reason").is_empty() { div.meta { bdi { (text::line(word(pod, "reason"), 200)) } } } }
            td { (states::word(if is_ready(pod) { "ready" } else { "not yet" })) }
            td { code.short { (text::line(word(pod, "release"), 24)) } }
            td { bdi { (text::name(word(pod, "node"))) } }
            td { @match since { Some(at) => (times::ago(at, view.now)), None => "–" } }
        }
    }
}

/// RFC 3339, or microseconds.
fn moment(value: &Value) -> Option<Timestamp> {
    value.as_str().and_then(Timestamp::parse_rfc3339).or_else(|| value.as_i64().map(Timestamp::from_micros))
}
