//! A stage's log: the newest lines at once, the others as they are asked for.

use crate::ansi::{Piece, pieces};
use crate::source::LogPage;
use crate::{route, text};
use ci::{Run, StageRun};
use maud::{Markup, html};
use serde::Serialize;

/// Lines in the page itself.
pub(crate) const IN_PAGE: usize = 150;
/// Lines that are sent at once.
pub(crate) const AT_ONCE: usize = 1_000;
/// Characters of lines in the page itself: a page stays small whatever the lines are.
const PAGE_CHARACTERS: usize = 16_000;

/// Lines as the script has them: each is its parts.
#[derive(Serialize)]
pub(crate) struct Lines {
    /// The stage.
    stage: String,
    /// The number of the first line, from 0.
    from: u64,
    lines: Vec<Vec<Piece>>,
    /// How many lines there are.
    total: u64,
    #[serde(rename = "cut")]
    is_cut: bool,
}

/// A page of lines for the script.
pub(crate) fn lines(stage: &str, page: &LogPage) -> Lines {
    let lines = page.lines.iter().map(|line| pieces(line)).collect();
    Lines { stage: stage.to_owned(), from: page.from, lines, total: page.total, is_cut: page.is_cut }
}

/// Which lines of a log are in a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Those from a line on.
    From(u64),
    /// The newest.
    Newest,
}

impl Part {
    /// The first line to ask for, of so many.
    pub(crate) fn first(self, lines: u64) -> u64 {
        match self {
            Self::From(line) => line,
            Self::Newest => lines.saturating_sub(IN_PAGE as u64),
        }
    }

    /// What of them fits into a page.
    pub(crate) fn fitting(self, mut page: LogPage) -> LogPage {
        let mut left = PAGE_CHARACTERS;
        // Colours cost the more.
        let mut fits = |line: &String| left.checked_sub(line.len().saturating_add(40)).inspect(|rest| left = *rest).is_some();
        match self {
            Self::From(_) => {
                let count = page.lines.iter().take_while(|line| fits(line)).count();
                page.lines.truncate(count.max(1));
            }
            Self::Newest => {
                let count = page.lines.iter().rev().take_while(|line| fits(line)).count();
                let surplus = page.lines.len().saturating_sub(count.max(1));
                page.lines.drain(..surplus);
                page.from = page.from.saturating_add(surplus as u64);
            }
        }
        page
    }
}

/// The section of the page.
pub(crate) fn section(run: &Run, stage: &StageRun, page: &LogPage) -> Markup {
    let path = route::stage(run.id, &stage.name);
    let next = page.from.saturating_add(page.lines.len() as u64);
    html! {
        section #log.log data-keep=(stage.name) data-url={ (path) "/log" } data-first=(page.from) data-next=(next) aria-labelledby="log-title" {
            div.head {
                h2 #log-title { "Log" }
                div.tools {
                    span #count.meta { (text::number(page.total)) (if page.total == 1 { " line" } else { " lines" }) }
                    label #follow-label hidden { input #follow type="checkbox" checked; " Follow" }
                    a href={ (path) "/log.txt" } { "As a file" }
                }
            }
            @if page.from > 0 { p.earlier { a #earlier href=(earlier(&path, page.from)) { "Earlier lines" } } }
            @if page.total == 0 { p.empty #nolines { "No lines yet." } }
            div #lines.lines role="region" tabindex="0" aria-label={ "Log of " (text::name(&stage.name)) } {
                div.chunk { @for (at, line) in page.lines.iter().enumerate() { (one(page.from.saturating_add(at as u64), line)) } }
            }
            @if next < page.total { p.later { a #later href=(crate::fields::link(&path, &[("line", Some(next.to_string().as_str()))])) { "Later lines" } } }
            p.cut hidden[!page.is_cut] { "The log was cut here: it is longer than what is kept." }
        }
    }
}

/// Without the script: the lines before.
fn earlier(path: &str, first: u64) -> String {
    let from = first.saturating_sub(IN_PAGE as u64).to_string();
    crate::fields::link(path, &[("line", Some(from.as_str()))])
}

fn one(number: u64, line: &str) -> Markup {
    html! {
        div.l data-n=(number + 1) {
            @for Piece(classes, text) in pieces(line) {
                @if classes.is_empty() { (text) } @else { span class=(classes) { (text) } }
            }
        }
    }
}
