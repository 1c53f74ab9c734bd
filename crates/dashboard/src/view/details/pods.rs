//! A rollout, pod by pod.

use super::{Detail, View, moment, word};
use crate::text;
use crate::view::{states, times};
use maud::{Markup, html};
use serde_json::Value;

pub(super) const DETAIL: Detail = Detail { member: "pods", show };

/// Pods that are shown: of many, those that are not ready yet.
const MOST: usize = 40;

fn show(view: &View<'_>, pods: &Value) -> Option<Markup> {
    let pods = pods.as_array()?;
    let shown = chosen(pods);
    let are_several = pods.iter().any(|pod| pods.first().is_some_and(|first| word(first, "workload") != word(pod, "workload")));
    Some(html! {
        div.detail {
            h3 { "Rollout" }
            p.summary { (counted(pods)) }
            div.scroll role="region" aria-label="Pods" tabindex="0" {
                table.list {
                    thead { tr { @for name in ["Pod", "State", "Ready", "Release", "Restarts", "Node", "Since"] { th scope="col" { (name) } } } }
                    @for group in shown.chunk_by(|a, b| word(a, "workload") == word(b, "workload")) {
                        tbody {
                            @if let Some(workload) = group.first().map(|pod| word(pod, "workload")).filter(|workload| !workload.is_empty()) {
                                tr.group { th scope="rowgroup" colspan="7" { bdi { (text::name(workload)) } @if are_several { " " span.meta { (counted(pods.iter().filter(|pod| word(pod, "workload") == workload))) } } } }
                            }
                            @for pod in group { (row(view, pod)) }
                        }
                    }
                }
            }
            @if pods.len() > MOST { p.meta { "and " (pods.len() - MOST) " more" } }
        }
    })
}

/// Of many those that are not ready; in the order told, which has each workload's together.
fn chosen(pods: &[Value]) -> Vec<&Value> {
    let mut shown: Vec<(usize, &Value)> = pods.iter().enumerate().collect();
    if shown.len() > MOST {
        shown.sort_by_key(|(_, pod)| is_ready(pod));
        shown.truncate(MOST);
        shown.sort_by_key(|(at, _)| *at);
    }
    shown.into_iter().map(|(_, pod)| pod).collect()
}

/// How far a rollout is: what counts is the newest release's; what is left of the one before goes.
fn counted<'a>(pods: impl IntoIterator<Item = &'a Value>) -> String {
    let (newest, before): (Vec<&Value>, Vec<&Value>) = pods.into_iter().partition(|pod| is_newest(pod));
    let ready = newest.iter().filter(|pod| is_ready(pod)).count();
    let of_newest = format!("{ready} of {} pods of the newest release ready", newest.len());
    if before.is_empty() { of_newest } else { format!("{of_newest}, {} of the one before still there", before.len()) }
}

fn flag(pod: &Value, member: &str) -> bool {
    pod.get(member).and_then(Value::as_bool).unwrap_or(false)
}

fn is_ready(pod: &Value) -> bool {
    flag(pod, "ready")
}

fn is_newest(pod: &Value) -> bool {
    flag(pod, "newest")
}

fn row(view: &View<'_>, pod: &Value) -> Markup {
    let since = pod.get("since").and_then(moment);
    html! {
        tr {
            th scope="row" { bdi { (text::name(word(pod, "name"))) } }
            td { (states::word(word(pod, "state"))) }
            td { (states::word(if is_ready(pod) { "ready" } else { "not yet" })) }
            td { @if is_newest(pod) { strong { "newest" } } @else { span.meta { "before" } } }
            td.number { @match pod.get("restarts").and_then(Value::as_u64) { Some(restarts) => (restarts), None => "–" } }
            td { @if word(pod, "node").is_empty() { "–" } @else { bdi { (text::name(word(pod, "node"))) } } }
            td { @match since { Some(at) => (times::ago(at, view.now)), None => "–" } }
        }
    }
}
