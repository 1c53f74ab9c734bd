//! A release and what allowed it: from what runs back to the commit.

use super::{Place, View, findings, page, states, times};
use crate::source::{Allowed, Approval, Check};
use crate::{route, text};
use maud::{Markup, html};

/// The page.
pub(crate) fn whole(view: &View<'_>, allowed: &Allowed) -> Markup {
    let release = &allowed.release;
    let content = html! {
        div.head { h1 { "Release " code { (text::name(&release.key.id)) } " " (states::word(release.fate.name())) } }
        @if let Some(cause) = &release.cause { div.cause role="note" { p { strong { "Why: " } bdi { (text::sentence(cause)) } } } }
        div.columns {
            div.wide {
                (check(&allowed.check))
                @if let Some(signed) = &allowed.approval { (approval(signed)) }
                (stages(allowed))
                (images(allowed))
                (happened(view, allowed))
            }
            aside.side aria-label="About this release" { section { h2 { "About" } (facts(view, allowed)) } }
        }
    };
    page(view, Place::Releases, &format!("Release {}", release.key.id), None, &content)
}

fn facts(view: &View<'_>, allowed: &Allowed) -> Markup {
    let release = &allowed.release;
    html! {
        dl.facts {
            dt { "Project" } dd { bdi { (text::name(&release.key.project)) } }
            dt { "Environment" } dd { bdi { (text::name(&release.key.environment)) } }
            dt { "Source" } dd { bdi { (text::name(&release.source)) } }
            @if let Some(commit) = &allowed.commit { dt { "Commit" } dd { code.id { (text::name(commit)) } } }
            @if let Some(tree) = &allowed.tree { dt { "Content" } dd { code.id { (text::name(tree)) } } }
            dt { "Deployed by" } dd { bdi { (text::name(&allowed.by)) } }
            dt { "Deployed" } dd { (times::exactly(release.created)) " (" (times::ago(release.created, view.now)) ")" }
            @if let Some(previous) = &allowed.previous {
                @let key = crate::source::ReleaseKey { id: previous.clone(), ..release.key.clone() };
                dt { "Before it" } dd { a href=(route::release(&key)) { code { (text::name(previous)) } } }
            }
            @if let Some(run) = release.run { dt { "Run" } dd { a href={ "/runs/" (run) } { "run " (run) } } }
        }
    }
}

fn check(check: &Result<Check, String>) -> Markup {
    let (word, says) = match check {
        Ok(Check::Intact { entry }) => ("intact", format!("The record is as it was written, as entry {entry} of the ledger says.")),
        Ok(Check::Behind { entry }) => {
            ("behind", format!("The record is older than entry {entry} of the ledger: a run was killed, or somebody put it back."))
        }
        Ok(Check::NotVerifiable { why }) => ("not verified", format!("Nothing says whether the record is as it was written: {why}")),
        Err(why) => ("failed", why.clone()),
    };
    html! { section.panel { h2 { "Record " (states::word(word)) } p { bdi { (text::sentence(&says)) } } } }
}

fn approval(approval: &Approval) -> Markup {
    html! {
        section.panel {
            h2 { "Plan " (states::word(if approval.holds { "passed" } else if approval.by.is_some() { "failed" } else { "unsigned" })) }
            dl.facts {
                dt { "Digest" } dd { code.id { (text::name(&approval.plan)) } }
                dt { "Approved by" } dd { @match &approval.by { Some(by) => bdi { (text::name(by)) }, None => "nobody; the environment has no approvers" } }
                @if let Some(signature) = &approval.signature { dt { "Signature" } dd { bdi { (text::sentence(signature)) } } }
            }
        }
    }
}

fn stages(allowed: &Allowed) -> Markup {
    html! {
        section.panel {
            h2 { "What it passed" }
            div.scroll tabindex="0" role="region" aria-label="Stages" {
                table.list {
                    thead { tr { th scope="col" { "Stage" } th scope="col" { "Verdict" } th scope="col" { "In its words" } } }
                    tbody {
                        @for stage in allowed.stages.iter().take(40) {
                            tr {
                                th scope="row" { (text::name(&stage.name)) }
                                td { (states::word(&stage.verdict)) }
                                td { bdi { (text::line(&stage.summary, 300)) } @if !stage.findings.is_empty() { div.meta { (findings::counted(&stage.findings)) } } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn images(allowed: &Allowed) -> Markup {
    html! {
        section.panel {
            h2 { "Images" }
            ul.plain {
                @for (name, reference, id) in allowed.images.iter().take(60) {
                    li {
                        bdi { (text::name(name)) } " " a href=(route::image(id)) { code { (text::short_id(id)) } }
                        div.meta { code.id { (text::line(reference, 200)) } }
                    }
                }
            }
        }
    }
}

fn happened(view: &View<'_>, allowed: &Allowed) -> Markup {
    html! {
        section.panel {
            h2 { "What happened" }
            ol.ledger {
                @for entry in allowed.happened.iter().rev().take(60) {
                    li {
                        p { strong { "#" (entry.number) } " " (states::word(&entry.event)) " " (times::ago(entry.at, view.now)) }
                        @if !entry.words.is_empty() { p { bdi { (text::sentence(&entry.words)) } } }
                        p.meta { code.id { (text::name(&entry.digest)) } }
                    }
                }
            }
        }
    }
}
