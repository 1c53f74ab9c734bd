//! Requests that smoke made, and commands that ran in an image.

use super::{Detail, View, figure, word};
use crate::text;
use crate::view::{evidence, states};
use base::units::show_duration;
use maud::{Markup, html};
use serde_json::Value;
use std::time::Duration;

pub(super) const DETAIL: Detail = Detail { member: "checks", show };

/// Lines of a command's output.
const LINES: usize = 40;

fn show(_: &View<'_>, checks: &Value) -> Option<Markup> {
    let checks = checks.as_array()?;
    let is_request = |check: &&Value| check.get("check").is_some();
    let is_command = |check: &&Value| check.get("run").is_some();
    let (requests, rest): (Vec<&Value>, Vec<&Value>) = checks.iter().partition(is_request);
    if !rest.iter().all(is_command) {
        return None;
    }
    Some(html! {
        div.detail {
            h3 { "Checks" }
            @if !requests.is_empty() { (table(&requests)) }
            @for command in rest.iter().take(40) { (one(command)) }
        }
    })
}

fn table(requests: &[&Value]) -> Markup {
    html! {
        div.scroll role="region" aria-label="Checks" tabindex="0" {
            table.list {
                thead { tr { th scope="col" { "Check" } th scope="col" { "Status" } th scope="col" { "Took" } } }
                tbody {
                    @for check in requests.iter().take(100) {
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
}

/// A command in an image, or in one of its build targets, and what it said.
fn one(command: &Value) -> Markup {
    let before = command.get("passed_before").and_then(Value::as_bool).unwrap_or(false);
    let said = command.get("said").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let target = word(command, "target");
    html! {
        div.load {
            p {
                (states::word(if before { "passed before" } else { "passed" })) " "
                bdi { (text::name(word(command, "image"))) } @if !target.is_empty() { ", target " bdi { (text::name(target)) } } ": "
                code { (text::line(word(command, "run"), 200)) }
            }
            @if !said.is_empty() { (evidence::lines(said.iter().filter_map(Value::as_str).take(LINES))) }
        }
    }
}

fn took(check: &Value) -> Option<String> {
    Duration::try_from_secs_f64(figure(check, "took_ms")? / 1e3).ok().map(show_duration)
}
