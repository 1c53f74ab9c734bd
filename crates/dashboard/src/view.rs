//! What pages look like: pure, from values to HTML. Every text goes through [`crate::text`] and is escaped by the templates.

pub(crate) mod board;
pub(crate) mod columns;
mod details;
mod evidence;
mod findings;
pub(crate) mod image;
pub(crate) mod images;
mod layout;
pub(crate) mod log;
pub(crate) mod login;
pub(crate) mod release;
pub(crate) mod releases;
pub(crate) mod run;
mod stage;
mod states;
pub(crate) mod times;
mod vulnerabilities;

pub(crate) use layout::{Place, bare, page};
pub(crate) use stage::opened;

use crate::session::Session;
use crate::source::Role;
use base::Timestamp;
use maud::{Markup, html};

/// Who looks, and when.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) session: &'a Session,
    pub(crate) now: Timestamp,
}

impl View<'_> {
    /// Whether buttons that do something are shown.
    pub(crate) fn may_operate(&self) -> bool {
        self.session.user.role == Role::Operator
    }

    /// What makes a form ours.
    pub(crate) fn form_token(&self) -> Markup {
        html! { input type="hidden" name="token" value=(self.session.form_token); }
    }
}

/// A part of a page that is put in anew when it has changed: its element's id, and the element.
pub(crate) type Region = (String, Markup);
