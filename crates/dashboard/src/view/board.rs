//! Runs as rows, stages as columns: the stage view.

use super::columns::{Column, columns};
use super::{Place, Region, View, page, states, times};
use crate::fields::link;
use crate::source::RunFilter;
use crate::{route, text};
use ci::{Run, RunId, StageRun, StageState};
use maud::{Markup, html};

/// Runs on one page.
pub(crate) const PER_PAGE: usize = 20;

/// The rows of one page of runs.
pub(crate) struct Board<'a> {
    pub(crate) runs: &'a [Run],
    pub(crate) filter: &'a RunFilter,
    pub(crate) repositories: &'a [String],
    /// Set where this is not the first page.
    pub(crate) before: Option<RunId>,
    /// Whether older ones follow.
    pub(crate) has_more: bool,
}

/// The filter as fields of a query.
pub(crate) fn query(filter: &RunFilter, before: Option<RunId>, path: &str) -> String {
    let before = before.map(|id| id.to_string());
    let fields = [
        ("repository", filter.repository.as_deref()),
        ("branch", filter.branch.as_deref()),
        ("state", filter.state.map(ci::RunState::name)),
        ("before", before.as_deref()),
    ];
    link(path, &fields)
}

/// The page.
pub(crate) fn whole(view: &View<'_>, board: &Board<'_>) -> Markup {
    let live = board.before.is_none().then(|| query(board.filter, None, "/events"));
    let columns = columns(board.runs);
    let content = html! {
        div.head { h1 { "Runs" } (filters(board)) }
        div.scroll role="region" aria-label="Runs by stage" tabindex="0" {
            table.board {
                caption.unseen { "Runs, the newest first, and how long each of their stages took" }
                (head(board.runs, &columns))
                tbody #rows { @for run in board.runs { (row(view, run, &columns)) } }
            }
        }
        p #none.empty hidden[!board.runs.is_empty()] {
            @if *board.filter == RunFilter::default() { "No run yet. Push a commit to this server's remote, and it appears here." }
            @else { "No run is like that. " a href="/" { "Show all runs" } }
        }
        (pager(board))
    };
    page(view, Place::Runs, "Runs", live.as_deref(), &content)
}

/// What changes: the head and each row.
pub(crate) fn regions(view: &View<'_>, runs: &[Run]) -> Vec<Region> {
    let columns = columns(runs);
    let rows = runs.iter().map(|run| (format!("run-{}", run.id), row(view, run, &columns)));
    std::iter::once(("columns".to_owned(), head(runs, &columns))).chain(rows).collect()
}

fn filters(board: &Board<'_>) -> Markup {
    html! {
        form.filters method="get" action="/" role="search" aria-label="Filter runs" {
            @if board.repositories.len() > 1 {
                label { "Repository "
                    select name="repository" {
                        option value="" { "all" }
                        @for repository in board.repositories.iter().take(200) {
                            option value=(repository) selected[board.filter.repository.as_ref() == Some(repository)] { (text::name(repository)) }
                        }
                    }
                }
            }
            label { "Branch " input name="branch" value=(board.filter.branch.as_deref().unwrap_or_default()) placeholder="all" size="14" maxlength="200"; }
            label { "State "
                select name="state" {
                    option value="" { "all" }
                    @for state in states::RUN_STATES {
                        option value=(state.name()) selected[board.filter.state == Some(state)] { (state.name()) }
                    }
                }
            }
            button type="submit" { "Show" }
        }
    }
}

fn head(runs: &[Run], columns: &[Column]) -> Markup {
    let ended: Vec<u64> = runs.iter().filter_map(|run| Some(run.ended?.since(run.began?).as_millis() as u64)).collect();
    let whole = ended.iter().sum::<u64>().checked_div(ended.len() as u64);
    html! {
        thead #columns {
            tr {
                th.run scope="col" { "Run" span.average { @if let Some(ms) = whole { span.unseen { "average " } span aria-hidden="true" { "⌀ " } (times::took(ms)) } } }
                @for column in columns {
                    th scope="col" {
                        span.name title=(text::name(&column.name)) { (text::line(&column.name, 60)) }
                        span.average { @match column.average { Some(ms) => { span.unseen { "average " } span aria-hidden="true" { "⌀ " } (times::took(ms)) } None => "–" } }
                    }
                }
            }
        }
    }
}

/// The repository, and where in it the project lies.
fn place(run: &Run) -> String {
    if run.project.is_root() { run.repository.clone() } else { format!("{}/{}", run.repository, run.project) }
}

fn row(view: &View<'_>, run: &Run, columns: &[Column]) -> Markup {
    html! {
        tr id={ "run-" (run.id) } {
            th.run scope="row" {
                div.line {
                    a.number href={ "/runs/" (run.id) } { "#" (run.id) }
                    " " (states::badge(states::of_run(run.state)))
                    @if let Some(time) = times::of_run(run, view.now) { " " span.time { (time) } }
                }
                div.subject { bdi { (text::name(&run.commit.subject)) } }
                div.meta {
                    bdi.branch { (text::line(&run.branch, 60)) } " "
                    code { (text::line(run.commit.id.get(..8).unwrap_or(&run.commit.id), 8)) } " "
                    bdi { (text::line(&run.commit.author, 40)) } " · " (times::ago(run.created, view.now))
                }
                div.meta { bdi { (text::line(&place(run), 60)) } " → " bdi { (text::line(&run.environment, 40)) } }
            }
            @for column in columns {
                @match run.stages.iter().find(|stage| stage.name == column.name) {
                    Some(stage) => (cell(view, run, stage)),
                    None => { td {} }
                }
            }
        }
    }
}

/// There are hundreds of these in a page: it says no more than it must. The sign stands in the stylesheet.
fn cell(view: &View<'_>, run: &Run, stage: &StageRun) -> Markup {
    let shown = states::of_stage(stage.state);
    html! {
        td data-label=(text::line(&stage.name, 24)) {
            @if matches!(stage.state, StageState::Waiting | StageState::Skipped) && stage.lines == 0 {
                span class={ "s " (shown.class) } { i { (shown.word) } }
            } @else {
                a class={ "s " (shown.class) } href=(route::stage(run.id, &stage.name)) {
                    @if let Some(time) = times::of_stage(stage, view.now) { b { (time) } }
                    i { (shown.word) }
                }
            }
        }
    }
}

fn pager(board: &Board<'_>) -> Markup {
    let last = board.runs.last().map(|run| run.id);
    html! {
        nav.pager aria-label="Pages" {
            @if board.before.is_some() { a href=(query(board.filter, None, "/")) { "Newest runs" } }
            @if board.has_more { a href=(query(board.filter, last, "/")) { "Older runs" } }
        }
    }
}
