//! Releases of all projects and environments.

use super::{Place, View, page, states, times};
use crate::source::Release;
use crate::{route, text};
use maud::{Markup, html};

/// Releases on one page.
const MOST: usize = 100;

/// The page; `asked` is the id that they were chosen by.
pub(crate) fn whole(view: &View<'_>, releases: &[Release], asked: Option<&str>) -> Markup {
    let content = html! {
        h1 { "Releases" }
        @if let Some(id) = asked { p.meta { "Those with the id " code { (text::name(id)) } ". " a href="/releases" { "Show all" } } }
        @if releases.is_empty() { p.empty { (if asked.is_some() { "No release has it." } else { "Nothing was released yet." }) } } @else {
            div.scroll role="region" aria-label="Releases" tabindex="0" {
                table.list {
                    thead { tr { @for name in ["Release", "State", "Project", "Environment", "Source", "When", "Run"] { th scope="col" { (name) } } } }
                    tbody { @for release in releases.iter().take(MOST) { (row(view, release)) } }
                }
            }
            @if releases.len() > MOST { p.meta { "and " (releases.len() - MOST) " older ones: " code { "wharf history" } } }
        }
    };
    page(view, Place::Releases, "Releases", None, &content)
}

fn row(view: &View<'_>, release: &Release) -> Markup {
    html! {
        tr {
            th scope="row" { a href=(route::release(&release.key)) { code.short { (text::name(&release.key.id)) } } }
            td {
                (states::word(release.fate.name()))
                @if let Some(cause) = &release.cause { div.meta { bdi { (text::line(cause, 160)) } } }
            }
            td { bdi { (text::name(&release.key.project)) } }
            td { bdi { (text::name(&release.key.environment)) } }
            td { bdi { (text::name(&release.source)) } }
            td { (times::ago(release.created, view.now)) }
            td { @if let Some(run) = release.run { a href={ "/runs/" (run) } { "#" (run) } } @else { "–" } }
        }
    }
}
