//! Tests of the project, by name.

use super::{Detail, View, word};
use crate::text;
use crate::view::states;
use maud::{Markup, html};
use serde_json::Value;

pub(super) const DETAIL: Detail = Detail { member: "tests", show };

fn show(_: &View<'_>, tests: &Value) -> Option<Markup> {
    let tests = tests.as_array()?;
    Some(html! {
        div.detail {
            h3 { "Tests" }
            ul.plain {
                @for test in tests.iter().take(100) {
                    @let before = test.get("passed_before").and_then(Value::as_bool).unwrap_or(false);
                    li { (states::word(if before { "passed before" } else { "passed" })) " " bdi { (text::name(word(test, "name"))) } " " code.meta { (text::line(word(test, "run"), 200)) } }
                }
            }
        }
    })
}
