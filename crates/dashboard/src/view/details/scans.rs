//! What a scan knows against the images that were built.

use super::{Detail, View, word};
use crate::view::vulnerabilities::{self, Row};
use crate::{route, text};
use maud::{Markup, html};
use scanner::matching::Status;
use serde::Deserialize;
use serde_json::Value;

pub(super) const DETAIL: Detail = Detail { member: "images", show };

/// Vulnerabilities that are shown of all images together.
const MOST: usize = 60;

/// Whether it is a scan's: a build tells of images, too.
pub(super) fn is_one(images: &Value) -> bool {
    let mut images = images.as_object().into_iter().flatten().peekable();
    images.peek().is_some() && images.all(|(_, image)| image.get("vulnerabilities").is_some_and(Value::is_array))
}

fn show(_: &View<'_>, images: &Value) -> Option<Markup> {
    let images = images.as_object().filter(|_| is_one(images))?;
    let mut left = MOST;
    let shown: Vec<(&str, &Value, Vec<Row<'_>>)> = images
        .iter()
        .take(20)
        .map(|(name, image)| {
            let rows: Vec<Row<'_>> =
                items(image, "vulnerabilities").iter().take(left).map(|found| row(found, items(image, "ignored"))).collect();
            left -= rows.len();
            (name.as_str(), image, rows)
        })
        .collect();
    Some(html! {
        div.detail {
            h3 { "Known against the images" }
            @for (name, image, rows) in &shown { (one(name, image, rows)) }
            @if images.len() > shown.len() { p.meta { "and " (images.len() - shown.len()) " more images" } }
        }
    })
}

fn one(name: &str, image: &Value, rows: &[Row<'_>]) -> Markup {
    let count = |member: &str| image.get(member).and_then(Value::as_u64).unwrap_or(0);
    let (found, ignored, id) = (items(image, "vulnerabilities"), items(image, "ignored").len(), word(image, "image"));
    let more = (found.len() - rows.len()) as u64 + count("left_out");
    html! {
        div.load {
            p {
                bdi { strong { (text::name(name)) } } " "
                @if !id.is_empty() { a href=(route::image(id)) { code { (text::short_id(id)) } } }
                ": " (text::number(count("packages"))) " packages"
                @if found.is_empty() { ", nothing known against them" }
                @if ignored > 0 { ", " (ignored) " ignored" }
                @if count("unjudged_packages") > 0 { ", " (text::number(count("unjudged_packages"))) " not judged" }
            }
            @if !found.is_empty() {
                (vulnerabilities::counts(found.iter().map(|found| word(found, "severity"))))
                @if !rows.is_empty() { (vulnerabilities::table(&format!("Known against {}", text::name(name)), rows)) }
            }
            @if more > 0 { p.meta { "and " (text::number(more)) " more" @if !id.is_empty() { ": " a href=(route::image(id)) { "the image" } " has all of them" } } }
        }
    }
}

fn row<'a>(found: &'a Value, ignored: &'a [Value]) -> Row<'a> {
    let id = word(found, "id");
    let package = word(found, "package");
    // Earlier versions wrote the id alone.
    let is_it = |line: &&Value| word(line, "id") == id && line.get("package").is_none_or(|named| named == package);
    Row {
        severity: word(found, "severity"),
        id,
        cve: items(found, "aliases")
            .iter()
            .filter_map(Value::as_str)
            .find(|alias| alias.starts_with("CVE-"))
            .filter(|_| !id.starts_with("CVE-")),
        summary: "",
        package,
        version: word(found, "version"),
        fixed: found.get("fixed").and_then(Value::as_str),
        status: found.get("status").and_then(|status| Status::deserialize(status).ok()).map_or("–", Status::words),
        layer: found.get("layer").and_then(Value::as_u64),
        file: word(found, "file"),
        ignored: ignored.iter().find(is_it).map(|line| word(line, "reason")),
    }
}

fn items<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value.get(member).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
