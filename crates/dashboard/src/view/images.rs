//! Images that are known.

use super::{Place, View, page, times};
use crate::source::ImageBrief;
use crate::{route, text};
use base::units::show_bytes;
use maud::{Markup, html};

/// Images on one page.
const MOST: usize = 100;

/// The page.
pub(crate) fn whole(view: &View<'_>, images: &[ImageBrief]) -> Markup {
    let content = html! {
        h1 { "Images" }
        @if images.is_empty() { p.empty { "No image was built yet." } } @else {
            div.scroll role="region" aria-label="Images" tabindex="0" {
                table.list {
                    thead { tr { @for name in ["Image", "Names", "Size", "Built"] { th scope="col" { (name) } } } }
                    tbody { @for image in images.iter().take(MOST) { (row(view, image)) } }
                }
            }
            @if images.len() > MOST { p.meta { "and " (images.len() - MOST) " more: " code { "wharf image ls" } } }
        }
    };
    page(view, Place::Images, "Images", None, &content)
}

fn row(view: &View<'_>, image: &ImageBrief) -> Markup {
    html! {
        tr {
            th scope="row" { a href=(route::image(&image.id)) { code.short { (text::short_id(&image.id)) } } }
            td { @for name in image.names.iter().take(4) { div { bdi { (text::name(name)) } } } @if image.names.is_empty() { "–" } }
            td.number { (show_bytes(image.bytes)) }
            td { @match image.created { Some(at) => (times::ago(at, view.now)), None => "–" } }
        }
    }
}
