//! An image: its layers, its packages, what is known against it.

use super::vulnerabilities::{self, Row};
use super::{Place, View, findings, page};
use crate::fields::link;
use crate::source::{Image, Layer};
use crate::{route, text};
use base::units::show_bytes;
use maud::{Markup, html};
use scanner::Package;

/// Packages on one page.
const PER_PAGE: usize = 100;

/// Which of an image's packages and findings are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// A part of the name.
    pub(crate) name: Option<String>,
    /// The layer's number, from 1.
    pub(crate) layer: Option<usize>,
    /// The page of packages, from 0.
    pub(crate) page: usize,
    /// The page of vulnerabilities, from 0.
    pub(crate) known: usize,
    /// The page of what could not be judged, from 0.
    pub(crate) findings: usize,
}

/// The page.
pub(crate) fn whole(view: &View<'_>, image: &Image, asked: &Asked) -> Markup {
    let path = route::image(&image.brief.id);
    let content = html! {
        h1 { "Image " code { (text::short_id(&image.brief.id)) } }
        (facts(image))
        (layers(image, &path))
        @if !image.known.is_empty() { (known(image, asked, &path)) }
        @if !image.unjudged.is_empty() { section.panel #unjudged { h2 { "Not judged" } (findings::list(&image.unjudged, asked.findings, &path)) } }
        (packages(image, asked, &path))
    };
    page(view, Place::Images, &format!("Image {}", text::short_id(&image.brief.id)), None, &content)
}

fn facts(image: &Image) -> Markup {
    html! {
        dl.facts.across {
            dt { "Id" } dd { code.id { (text::name(&image.brief.id)) } }
            dt { "Names" } dd { @for name in image.brief.names.iter().take(20) { div { bdi { (text::name(name)) } } } @if image.brief.names.is_empty() { "none" } }
            dt { "Platform" } dd { (text::name(&image.platform)) }
            dt { "Distribution" } dd { bdi { (image.os.as_deref().map_or("none".into(), text::name)) } }
            dt { "Size" } dd { (show_bytes(image.brief.bytes)) }
            dt { "Scanned" } dd { (image.scanned.as_deref().map_or("not yet; `wharf scan` with its name does".into(), text::sentence)) }
            dt { "Holds" } dd {
                (image.layers.len()) " layers, " a href="#packages" { (text::number(image.packages.len() as u64)) " packages" }
            }
            @if image.scanned.is_some() {
                dt { "Known against it" } dd {
                    @match image.known.len() { 0 => "nothing", count => a href="#known" { (text::number(count as u64)) " vulnerabilities" } }
                    @if !image.unjudged.is_empty() { "; " a href="#unjudged" { "some of it could not be judged" } }
                }
            }
        }
    }
}

fn layers(image: &Image, path: &str) -> Markup {
    let largest = image.layers.iter().map(|layer| layer.bytes).max().unwrap_or(0).max(1);
    let of_layer = |layer: &Layer| image.packages.iter().filter(|package| package.layer.as_ref() == Some(&layer.id)).count();
    html! {
        section.panel {
            h2 { "Layers" }
            div.scroll role="region" aria-label="Layers" tabindex="0" {
                table.list {
                    thead { tr { @for name in ["Layer", "Made by", "Size", "Packages"] { th scope="col" { (name) } } } }
                    tbody {
                        @for (at, layer) in image.layers.iter().enumerate().take(127) {
                            tr {
                                th scope="row" { (at + 1) " " code.meta { (text::short_id(&layer.id)) } }
                                td { code.instruction { (text::block(if layer.instruction.is_empty() { "(the history does not say)" } else { &layer.instruction }, 400)) } }
                                td.number { (show_bytes(layer.bytes)) (bar(layer.bytes, largest)) }
                                td.number {
                                    @match of_layer(layer) {
                                        0 => "–",
                                        count => a href={ (link(path, &[("layer", Some((at + 1).to_string().as_str()))])) "#packages" } { (count) },
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if !image.settings.is_empty() {
                details { summary { "Instructions that made no layer (" (image.settings.len()) ")" }
                    ul.plain { @for setting in image.settings.iter().take(80) { li { code.instruction { (text::line(setting, 300)) } } } } }
            }
        }
    }
}

/// How large beside the largest, as a picture: the figure stands beside it.
fn bar(bytes: u64, largest: u64) -> Markup {
    let width = (u128::from(bytes) * 100 / u128::from(largest)).max(1);
    html! { svg.bar viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" { rect width=(width) height="4" rx="1" {} } }
}

/// What is known against its packages, page by page.
fn known(image: &Image, asked: &Asked, path: &str) -> Markup {
    const PER_PAGE: usize = 50;
    let layers: Vec<&str> = image.layers.iter().map(|layer| layer.id.as_str()).collect();
    let first = asked.known.saturating_mul(PER_PAGE).min(image.known.len());
    let last = (first + PER_PAGE).min(image.known.len());
    let rows: Vec<Row<'_>> = image.known.iter().skip(first).take(PER_PAGE).map(|found| Row::of(found, &layers)).collect();
    let to = |page: usize| link(path, &[("known", Some(page.to_string().as_str()))]) + "#known";
    html! {
        section.panel #known {
            h2 { "Known against it" }
            (vulnerabilities::counts(image.known.iter().map(|found| found.severity.level.name())))
            (vulnerabilities::table("Known against it", &rows))
            @if image.known.len() > PER_PAGE {
                nav.pager aria-label="Pages of what is known" {
                    @if first > 0 { a href=(to(asked.known.saturating_sub(1))) { "Previous" } }
                    span { (first + 1) " to " (last) " of " (image.known.len()) }
                    @if last < image.known.len() { a href=(to(asked.known + 1)) { "Next" } }
                }
            }
        }
    }
}

fn packages(image: &Image, asked: &Asked, path: &str) -> Markup {
    let layer = asked.layer.and_then(|number| image.layers.get(number.checked_sub(1)?));
    let wanted = asked.name.as_deref().unwrap_or_default().to_lowercase();
    let is_asked = |package: &&Package| {
        package.name.to_lowercase().contains(&wanted) && layer.is_none_or(|layer| package.layer.as_ref() == Some(&layer.id))
    };
    let found: Vec<&Package> = image.packages.iter().filter(is_asked).collect();
    let first = asked.page.saturating_mul(PER_PAGE).min(found.len());
    let last = (first + PER_PAGE).min(found.len());
    let number = asked.layer.map(|number| number.to_string());
    let to = |page: usize| {
        let page = page.to_string();
        link(path, &[("name", asked.name.as_deref()), ("layer", number.as_deref()), ("page", Some(page.as_str()))]) + "#packages"
    };
    html! {
        section.panel #packages {
            div.head {
                h2 { "Packages (" (found.len()) ")" }
                form.filters method="get" action=(path) role="search" aria-label="Filter packages" {
                    label { "Name " input name="name" value=(asked.name.as_deref().unwrap_or_default()) size="14" maxlength="200"; }
                    label { "Layer "
                        select name="layer" {
                            option value="" { "all" }
                            @for number in 1..=image.layers.len().min(127) { option value=(number) selected[asked.layer == Some(number)] { (number) } }
                        }
                    }
                    button type="submit" { "Show" }
                }
            }
            @if image.packages.is_empty() { p.empty { "None is known: it was not scanned." } } @else { (table(image, found.get(first..last).unwrap_or_default())) }
            @if found.len() > PER_PAGE {
                nav.pager aria-label="Pages of packages" {
                    @if first > 0 { a href=(to(asked.page.saturating_sub(1))) { "Previous" } }
                    span { (first + 1) " to " (last) " of " (found.len()) }
                    @if last < found.len() { a href=(to(asked.page + 1)) { "Next" } }
                }
            }
        }
    }
}

fn table(image: &Image, packages: &[&Package]) -> Markup {
    let number = |package: &Package| image.layers.iter().position(|layer| Some(&layer.id) == package.layer.as_ref()).map(|at| at + 1);
    html! {
        div.scroll role="region" aria-label="Packages" tabindex="0" {
            table.list {
                thead { tr { @for name in ["Package", "Version", "Of", "Layer", "Told by"] { th scope="col" { (name) } } } }
                tbody {
                    @for package in packages {
                        tr {
                            th scope="row" { bdi { (text::name(&package.name)) } }
                            td { code { (text::line(&package.version, 60)) } }
                            td { (text::name(&package.ecosystem.osv())) }
                            td.number { @match number(package) { Some(number) => (number), None => "–" } }
                            td { code.meta { (text::line(&package.file, 80)) } }
                        }
                    }
                }
            }
        }
    }
}
