//! What a deploy changes, object by object, field by field.

use super::{Detail, View, brief, word};
use crate::text;
use crate::view::states;
use maud::{Markup, html};
use serde_json::Value;

pub(super) const DETAIL: Detail = Detail { member: "plan", show };

/// Fields that are shown of all objects together.
const MOST: usize = 60;

fn show(_: &View<'_>, plan: &Value) -> Option<Markup> {
    let objects = plan.get("objects")?.as_array()?;
    let (same, changed): (Vec<&Value>, Vec<&Value>) = objects.iter().partition(|object| word(object, "change") == "unchanged");
    let mut left = MOST;
    let shown: Vec<(&Value, &[Value], usize)> = changed
        .iter()
        .take(30)
        .map(|object| {
            let fields = object.get("fields").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let here = fields.get(..fields.len().min(left)).unwrap_or_default();
            left -= here.len();
            (*object, here, fields.len() - here.len())
        })
        .collect();
    Some(html! {
        div.detail {
            h3 { "Plan" }
            p.summary { (changed.len()) " to change, " (same.len()) " unchanged" }
            @for (object, fields, further) in &shown { (one(object, fields, *further)) }
            @if changed.len() > shown.len() { p.meta { "and " (changed.len() - shown.len()) " more objects" } }
        }
    })
}

fn one(object: &Value, fields: &[Value], further: usize) -> Markup {
    let name = html! { bdi { (text::name(word(object, "object"))) } " " (states::word(word(object, "change"))) };
    // What has no fields has nothing to open.
    if fields.is_empty() && further == 0 {
        return html! { p.diff { (name) } };
    }
    html! {
        details.diff open {
            summary { (name) }
            @if !fields.is_empty() {
                div.scroll role="region" aria-label={ "Fields of " (text::name(word(object, "object"))) } tabindex="0" {
                    table.list {
                        thead { tr { th scope="col" { "Field" } th scope="col" { "Before" } th scope="col" { "After" } } }
                        tbody {
                            @for field in fields {
                                tr {
                                    th scope="row" { code { (text::line(word(field, "path"), 160)) } }
                                    td { (side(field.get("before"), "del", "−")) }
                                    td { (side(field.get("after"), "ins", "+")) }
                                }
                            }
                        }
                    }
                }
            }
            @if further > 0 { p.meta { "and " (further) " more fields" } }
        }
    }
}

fn side(value: Option<&Value>, class: &str, sign: &str) -> Markup {
    html! {
        @match value.filter(|value| !value.is_null()) {
            Some(value) => span class=(class) { span aria-hidden="true" { (sign) " " } code { (brief(value, 240)) } },
            None => "–",
        }
    }
}
