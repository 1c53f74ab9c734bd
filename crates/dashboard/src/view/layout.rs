//! What stands around every page.

use super::View;
use crate::assets::{ICON, SCRIPT, STYLE};
use crate::text;
use base::Timestamp;
use maud::{DOCTYPE, Markup, html};

/// Which of the main pages a page belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Runs,
    Releases,
    Images,
}

const PLACES: [(Place, &str, &str); 3] =
    [(Place::Runs, "/", "Runs"), (Place::Releases, "/releases", "Releases"), (Place::Images, "/images", "Images")];

/// A page of somebody who is logged in; `live` is where its changes come from.
pub(crate) fn page(view: &View<'_>, place: Place, title: &str, live: Option<&str>, content: &Markup) -> Markup {
    let around = html! {
        a.skip href="#main" { "Skip to content" }
        header.top {
            a.brand href="/" { "Wharf" }
            nav aria-label="Main" {
                @for (other, path, name) in PLACES {
                    a href=(path) aria-current=[(other == place).then_some("true")] { (name) }
                }
            }
            div.who {
                span #live.live hidden { "Live" }
                button #theme type="button" hidden { "Dark" }
                span.user title=(role(view)) { (text::name(&view.session.user.name)) }
                form method="post" action="/logout" { (view.form_token()) button type="submit" { "Log out" } }
            }
        }
        main #main tabindex="-1" { (content) }
        p #say.unseen role="status" aria-live="polite" {}
    };
    document(title, view.now, live, &around)
}

fn role(view: &View<'_>) -> &'static str {
    if view.may_operate() { "may retry and cancel runs" } else { "may look at everything" }
}

/// A page of nobody in particular: the login, a refusal.
pub(crate) fn bare(title: &str, content: &Markup) -> Markup {
    let around = html! {
        header.top { a.brand href="/" { "Wharf" } div.who { button #theme type="button" hidden { "Dark" } } }
        main #main.narrow tabindex="-1" { (content) }
    };
    document(title, Timestamp::default(), None, &around)
}

fn document(title: &str, now: Timestamp, live: Option<&str>, around: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-now=(now.micros()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (text::name(title)) " · Wharf" }
                link rel="icon" href=(ICON.path());
                link rel="stylesheet" href=(STYLE.path());
                // Not deferred: what was chosen between light and dark holds from the first frame.
                script src=(SCRIPT.path()) {}
            }
            body data-live=[live] { (around) }
        }
    }
}
