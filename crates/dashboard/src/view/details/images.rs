//! Images that were built.

use super::{Detail, View, word};
use crate::{route, text};
use maud::{Markup, html};
use serde_json::Value;

pub(super) const DETAIL: Detail = Detail { member: "images", show };

fn show(_: &View<'_>, images: &Value) -> Option<Markup> {
    let images = images.as_object().filter(|_| !super::scans::is_one(images))?;
    Some(html! {
        div.detail {
            h3 { "Images" }
            div.scroll role="region" aria-label="Images" tabindex="0" {
                table.list {
                    thead { tr { @for name in ["Name", "Image", "Steps", "Cached"] { th scope="col" { (name) } } } }
                    tbody { @for (name, image) in images.iter().take(60) { (row(name, image)) } }
                }
            }
        }
    })
}

fn row(name: &str, image: &Value) -> Markup {
    let count = |member: &str| image.get(member).and_then(Value::as_u64).map_or("–".to_owned(), |count| count.to_string());
    let id = word(image, "image");
    let warnings = image.get("warnings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    html! {
        tr {
            th scope="row" { bdi { (text::name(name)) } }
            td {
                @if id.is_empty() { "–" } @else { a href=(route::image(id)) { code { (text::short_id(id)) } } }
                @for warning in warnings.iter().take(20).filter_map(Value::as_str) { div.meta { bdi { (text::line(warning, 200)) } } }
            }
            td.number { (count("steps")) }
            td.number { (count("cached")) }
        }
    }
}
