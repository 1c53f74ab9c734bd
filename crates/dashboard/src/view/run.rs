//! One run: what it is of, its stages, and one of them opened.

use super::{Place, Region, View, log, opened, page, stage, states, times};
use crate::source::LogPage;
use crate::{route, text};
use base::units::show_bytes;
use ci::{Run, Trigger};
use maud::{Markup, html};

/// Everything that a run's page shows.
pub(crate) struct Shown<'a> {
    pub(crate) run: &'a Run,
    /// The stage that was asked for; without, the one that matters most now.
    pub(crate) asked: Option<&'a str>,
    /// Lines of the opened stage's log.
    pub(crate) log: &'a LogPage,
    /// Which page of findings.
    pub(crate) findings_page: usize,
}

/// The page.
pub(crate) fn whole(view: &View<'_>, shown: &Shown<'_>) -> Markup {
    let run = shown.run;
    let opened = opened(run, shown.asked);
    let live = (!run.state.has_ended()).then(|| live(shown, opened.map(|stage| stage.name.as_str())));
    let content = html! {
        (header(view, run))
        (strip(view, run, opened.map(|stage| stage.name.as_str())))
        div.columns {
            div.wide {
                (stage::panel(view, run, opened, shown.findings_page))
                @if let Some(stage) = opened { (log::section(run, stage, shown.log)) }
            }
            (side(view, run))
        }
    };
    let title = format!("Run {} · {}", run.id, text::line(&run.commit.subject, 60));
    page(view, Place::Runs, &title, live.as_deref(), &content)
}

/// Where changes come from: told which stage is asked for, and up to where its log is here.
fn live(shown: &Shown<'_>, opened: Option<&str>) -> String {
    let next = shown.log.from.saturating_add(shown.log.lines.len() as u64).to_string();
    let page = shown.findings_page.to_string();
    let fields = [("stage", shown.asked), ("log", opened), ("from", Some(next.as_str())), ("findings", Some(page.as_str()))];
    crate::fields::link(&format!("/runs/{}/events", shown.run.id), &fields)
}

/// What changes but the log.
pub(crate) fn regions(view: &View<'_>, run: &Run, asked: Option<&str>, findings_page: usize) -> Vec<Region> {
    let opened = opened(run, asked);
    vec![
        ("run".to_owned(), header(view, run)),
        ("stages".to_owned(), strip(view, run, opened.map(|stage| stage.name.as_str()))),
        ("panel".to_owned(), stage::panel(view, run, opened, findings_page)),
        ("side".to_owned(), side(view, run)),
    ]
}

fn header(view: &View<'_>, run: &Run) -> Markup {
    html! {
        header #run.runhead {
            div.head {
                h1 { "Run " (run.id) " " (states::badge(states::of_run(run.state))) }
                (actions(view, run))
            }
            p.subject { bdi { (text::line(&run.commit.subject, 200)) } }
            @if let Some(cause) = &run.cause {
                div.cause role="note" {
                    p { strong { "Why: " } bdi { (text::sentence(&cause.message)) } }
                    @for hint in cause.hints.iter().take(8) { p.hint { "Next: " bdi { (text::sentence(hint)) } } }
                    p.meta { "exit code " (cause.exit_code) " (" (text::name(&cause.kind)) ")" }
                }
            }
        }
    }
}

fn actions(view: &View<'_>, run: &Run) -> Markup {
    if !view.may_operate() {
        return html! {};
    }
    html! {
        div.actions {
            @if run.state.has_ended() {
                form method="post" action={ "/runs/" (run.id) "/retry" } {
                    (view.form_token())
                    label { "From "
                        select name="from" {
                            option value="" { "the first stage" }
                            @for stage in run.beginnings().take(64) { option value=(stage) { (text::name(stage)) } }
                        }
                    }
                    button.main type="submit" { "Retry" }
                }
            } @else {
                details.confirm {
                    summary { "Cancel…" }
                    form method="post" action={ "/runs/" (run.id) "/cancel" } {
                        (view.form_token())
                        span { "Its work ends now; what was deployed stays." }
                        button.danger type="submit" { "Cancel run " (run.id) }
                    }
                }
            }
        }
    }
}

fn strip(view: &View<'_>, run: &Run, opened: Option<&str>) -> Markup {
    html! {
        nav #stages.strip aria-label="Stages" {
            ol {
                @for stage in run.stages.iter().take(64) {
                    @let shown = states::of_stage(stage.state);
                    li {
                        a class={ "stage " (shown.class) } href=(route::stage(run.id, &stage.name)) aria-current=[(opened == Some(stage.name.as_str())).then_some("step")] {
                            span.name { (text::line(&stage.name, 40)) }
                            span.time { @match times::of_stage(stage, view.now) { Some(time) => (time), None => "–" } }
                            span.word { span aria-hidden="true" { (shown.sign) } " " (shown.word) }
                        }
                    }
                }
            }
        }
    }
}

fn side(view: &View<'_>, run: &Run) -> Markup {
    html! {
        aside #side.side aria-label="About this run" {
            section { h2 { "About" } (facts(view, run)) }
            @if !run.urls.is_empty() {
                section {
                    h2 { "Answers at" }
                    ul.plain { @for (service, url) in run.urls.iter().take(32) { li { bdi { (text::name(service)) } ": " (address(url)) } } }
                }
            }
            @if !run.artefacts.is_empty() {
                section {
                    h2 { "Artefacts" }
                    ul.plain {
                        @for artefact in run.artefacts.iter().take(64) {
                            li {
                                a href={ "/runs/" (run.id) "/artefacts/" (route::encode(&artefact.name)) } download { bdi { (text::name(&artefact.name)) } }
                                " " span.meta { (show_bytes(artefact.bytes)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A link only where it is what it seems: a scheme of the web.
fn address(url: &str) -> Markup {
    let is_plain = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme)) && !url.chars().any(text::is_hidden);
    html! { @if is_plain { a href=(url) rel="noreferrer noopener" { (text::name(url)) } } @else { (text::name(url)) } }
}

fn facts(view: &View<'_>, run: &Run) -> Markup {
    html! {
        dl.facts {
            dt { "Commit" } dd { code.id { (text::line(&run.commit.id, 64)) } }
            dt { "Author" } dd { bdi { (text::name(&run.commit.author)) } }
            dt { "Branch" } dd { bdi { (text::name(&run.branch)) } }
            dt { "Repository" } dd { bdi { (text::name(&run.repository)) } }
            @if !run.project.is_root() { dt { "Project" } dd { bdi { (text::name(run.project.as_str())) } } }
            dt { "Environment" } dd { bdi { (text::name(&run.environment)) } }
            dt { "Begun by" } dd { (trigger(&run.trigger)) }
            dt { "Asked for" } dd { (times::exactly(run.created)) " (" (times::ago(run.created, view.now)) ")" }
            @if let Some(began) = run.began { dt { "Began" } dd { (times::exactly(began)) } }
            @if let Some(ended) = run.ended { dt { "Ended" } dd { (times::exactly(ended)) } }
            @if let Some(time) = times::of_run(run, view.now) { dt { "Took" } dd { (time) } }
            @if let Some(runner) = &run.runner { dt { "Runner" } dd { bdi { (text::name(runner)) } @if run.attempt > 1 { " (attempt " (run.attempt) ")" } } }
            @if let Some(release) = &run.release { dt { "Release" } dd { a href=(crate::fields::link("/releases", &[("id", Some(release))])) { code { (text::name(release)) } } } }
        }
    }
}

fn trigger(trigger: &Trigger) -> Markup {
    html! {
        @match trigger {
            Trigger::Push { by } => { "push by " bdi { (text::name(by)) } }
            Trigger::Hook { provider, delivery } => { "web hook of " bdi { (text::name(provider)) } " (" code { (text::name(delivery)) } ")" }
            Trigger::Retry { of, from, by } => {
                "retry of " a href={ "/runs/" (of) } { "run " (of) }
                @if let Some(from) = from { " from " bdi { (text::name(from)) } }
                " by " bdi { (text::name(by)) }
            }
        }
    }
}
