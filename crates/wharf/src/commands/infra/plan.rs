//! `wharf infra plan`, and how a plan is shown.

use super::declared::{Entry, Place, Wanted};
use super::listen::Listener;
use crate::output::Paint;
use ::infra::InfraError;
use ::infra::plan::{Act, Change, Plan, Replacement};
use ::infra::provider::Drifted;
use base::{Problem, ProblemKind};
use serde_json::json;
use std::path::Path;
use std::process::ExitCode;

/// How it is planned.
pub(super) struct How<'a> {
    /// Where it is saved.
    pub out: Option<&'a Path>,
    /// Whether what was changed beside the template is left out.
    pub no_drift: bool,
    /// Whether a stack that its tags say is another's may be taken.
    pub take_over: bool,
}

pub(super) fn run(place: &Place<'_>, only: &[String], how: &How<'_>) -> Result<ExitCode, Problem> {
    let names = place.names(only)?;
    if how.out.is_some() && names.len() > 1 {
        return Err(
            crate::cli::usage(format!("a file holds one plan, and there are several: {}", names.join(", "))).hint("pass `--only NAME`")
        );
    }
    let mut documents = Vec::new();
    for name in names {
        let entry = place.entry(&name, Wanted { take_over: how.take_over, ..Wanted::default() })?;
        entry.checked()?;
        crate::interrupt::doing("in infra plan: nothing was changed");
        let plan = place.tokio.block_on(entry.provider.plan(&entry.listener)).map_err(Problem::from)?;
        entry.listener.done();
        let said = &entry.listener;
        if !said.is_json() {
            show(said, &plan);
        }
        // It is kept before anything is asked that need not be had.
        let file = plan.into_file();
        if let Some(path) = how.out {
            save(said, path, &file)?;
        }
        let drifted = match (how.no_drift, file.plan.new) {
            (true, _) => None,
            (false, true) => Some(Vec::new()),
            (false, false) => drift(place, &entry),
        };
        if !said.is_json() {
            show_drift(said, drifted.as_deref().unwrap_or_default());
        }
        documents.push(said.masked(json!({"plan": file.plan, "digest": file.digest, "drift": drifted})));
    }
    if place.context.output.is_json() {
        place.context.output.json(&json!({"plans": documents}));
    }
    Ok(ExitCode::SUCCESS)
}

fn save(said: &Listener<'_>, path: &Path, file: &::infra::PlanFile) -> Result<(), Problem> {
    let bytes = serde_json::to_vec_pretty(file).map_err(|error| Problem::new(ProblemKind::Defect, error.to_string()))?;
    base::files::write_atomically(path, &bytes, 0o600).map_err(|error| Problem::new(ProblemKind::Host, error.to_string()))?;
    said.say(&format!("saved as {}, {}", path.display(), file.digest));
    if !file.plan.is_empty() {
        said.say(&format!("next: wharf infra apply {}", path.display()));
    }
    Ok(())
}

/// What was changed beside the template; nothing where that cannot be told. Who may plan may not have to be able to, and no emulator can.
fn drift(place: &Place<'_>, entry: &Entry<'_>) -> Option<Vec<Drifted>> {
    entry.listener.passing("what was changed beside the template is found out");
    let drifted = place.tokio.block_on(entry.provider.drift(&entry.listener));
    entry.listener.done();
    let told = |error: &InfraError| {
        entry.listener.warning(&format!("whether anything was changed beside the template cannot be told: {error}"));
    };
    drifted.inspect_err(told).ok()
}

/// A plan as a person reads it.
pub(super) fn show(said: &Listener<'_>, plan: &Plan) {
    let now = if plan.new { "it is not there yet" } else { "it stands" };
    said.data(&said.shown(&format!("{} ({}) in {}; {now}", plan.name, plan.stack, plan.region)));
    if !plan.takes_over.is_empty() {
        let what = if plan.is_empty() { "nothing changes, so it stays so" } else { "this plan takes it over" };
        said.data(&format!("{} {}", said.paint(Paint::Red, "!"), said.shown(&format!("it is another's: {}; {what}", plan.takes_over))));
    }
    for change in &plan.changes {
        show_change(said, change);
    }
    said.data(&summary(plan));
}

fn show_change(said: &Listener<'_>, change: &Change) {
    let (mark, paint) = match (change.act, change.replacement) {
        (Act::Add, _) => ("+", Paint::Green),
        (Act::Import, _) => (">", Paint::Green),
        (Act::Remove, _) => ("-", Paint::Red),
        (Act::Modify, Replacement::Always | Replacement::Maybe) => ("±", Paint::Red),
        (Act::Modify | Act::Dynamic, _) => ("~", Paint::Yellow),
    };
    let replaced = match (change.act, change.replacement) {
        (Act::Modify, Replacement::Always) => "  made anew, the old one is removed",
        (Act::Modify, Replacement::Maybe) => "  may be made anew",
        (Act::Dynamic, _) => "  only known once others are changed",
        _ => "",
    };
    let policy = if change.policy.is_empty() { String::new() } else { format!("  ({})", change.policy) };
    let head = said.shown(&format!("{:<24} {}", change.id, change.kind));
    said.data(&format!("{} {head}{}{}", said.paint(paint, mark), said.paint(Paint::Red, replaced), said.shown(&policy)));
    for detail in &change.details {
        let why = if detail.cause.is_empty() { String::new() } else { format!(", by {}", detail.cause) };
        let anew = match detail.replacement {
            Replacement::Always => " (makes it anew)",
            Replacement::Maybe => " (may make it anew)",
            Replacement::Never => "",
        };
        said.data(&said.shown(&format!("    {}{why}{anew}", detail.field)));
    }
}

pub(super) fn summary(plan: &Plan) -> String {
    if plan.is_empty() {
        return "nothing changes".to_owned();
    }
    let count = |wanted: Act| plan.changes.iter().filter(|change| change.act == wanted).count();
    let anew = plan.changes.iter().filter(|change| change.act == Act::Modify && change.replacement != Replacement::Never).count();
    let mut parts = vec![
        format!("{} to make", count(Act::Add)),
        format!("{} to change ({anew} made anew)", count(Act::Modify) + count(Act::Dynamic)),
        format!("{} to remove", count(Act::Remove)),
    ];
    if count(Act::Import) > 0 {
        parts.push(format!("{} to take in", count(Act::Import)));
    }
    if plan.changes.is_empty() {
        parts.push("only what is handed out changes".to_owned());
    }
    parts.join(", ")
}

fn show_drift(said: &Listener<'_>, drifted: &[Drifted]) {
    for resource in drifted {
        let what = if resource.deleted { "was removed beside the template" } else { "was changed beside the template" };
        let head = said.shown(&format!("{:<24} {} {what}", resource.id, resource.kind));
        said.data(&format!("{} {head}", said.paint(Paint::Red, "!")));
        for (path, wanted, actual) in &resource.differences {
            said.data(&said.shown(&format!("    {path}: {wanted} -> {actual}")));
        }
    }
}
