//! `wharf infra apply` and `import`: a plan is shown, agreed to and carried out; what a run before left is gone on with.

use super::declared::{Entry, Place, Wanted};
use super::plan::{show, summary};
use super::{can_ask, consent, output};
use crate::output::Paint;
use ::infra::PlanFile;
use ::infra::plan::{LARGEST, Plan};
use ::infra::provider::{Import, Standing};
use base::units::show_duration;
use base::{Problem, ProblemKind};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

const GOES_ON: &str = "in infra apply: what was begun goes on in the cloud; run `wharf infra apply` again to follow it";

pub(super) fn run(place: &Place<'_>, only: &[String], skip: &[String], take_over: bool) -> Result<ExitCode, Problem> {
    can_ask(place.context, "pass `--yes`, or a plan that `wharf infra plan --out` saved")?;
    let wanted = || Wanted { take_over, ..Wanted::default() };
    let entries: Vec<Entry<'_>> = place.names(only)?.iter().map(|name| place.entry(name, wanted())).collect::<Result<_, _>>()?;
    entries.iter().try_for_each(Entry::checked)?;
    for entry in &entries {
        settle(place, entry, skip)?;
        planned(place, entry)?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn import(place: &Place<'_>, only: &[String], resources: &[String]) -> Result<ExitCode, Problem> {
    can_ask(place.context, "pass `--yes`")?;
    let imports = resources.iter().map(|text| parse_import(text)).collect::<Result<Vec<_>, _>>()?;
    let names = place.names(only)?;
    let [name] = names.as_slice() else {
        return Err(crate::cli::usage(format!("there are several: {}", names.join(", "))).hint("pass `--only NAME`"));
    };
    let entry = place.entry(name, Wanted { imports, ..Wanted::default() })?;
    entry.checked()?;
    planned(place, &entry)?;
    Ok(ExitCode::SUCCESS)
}

/// `Bucket:BucketName=my-bucket`.
fn parse_import(text: &str) -> Result<Import, Problem> {
    let wrong = || crate::cli::usage(format!("`{text}` names no resource")).hint("write it like `Bucket:BucketName=my-bucket`");
    let (id, rest) = text.split_once(':').ok_or_else(wrong)?;
    let pair = |pair: &str| pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    let identifier: Option<BTreeMap<String, String>> = rest.split(',').map(pair).collect();
    let identifier = identifier.filter(|_| !id.is_empty()).ok_or_else(wrong)?;
    Ok(Import { id: id.to_owned(), identifier })
}

/// What stopped half-way goes on first, and what failed when it was first made is removed.
fn settle(place: &Place<'_>, entry: &Entry<'_>, skip: &[String]) -> Result<(), Problem> {
    let Some(standing) = entry.standing(place)?.filter(|standing| standing.unsettled) else { return Ok(()) };
    let half_way = standing.status.contains("ROLLBACK_FAILED") && standing.status != "ROLLBACK_FAILED";
    let what = if half_way { "its rollback is told to go on" } else { "what is left of it is removed" };
    let reason = if standing.reason.is_empty() { String::new() } else { format!(" ({})", standing.reason) };
    let said = &entry.listener;
    if !standing.foreign.is_empty() {
        said.say(&said.shown(&format!("{} is taken over: {}", entry.stack, standing.foreign)));
    }
    said.say(&said.shown(&format!("{} is {}{reason}: {what} first", entry.stack, standing.status)));
    if !consent(place.context, "Do that? [y/N]", &["y", "Y", "yes"])? {
        return Err(Problem::new(ProblemKind::Work, "not agreed to: nothing was changed"));
    }
    crate::interrupt::doing(GOES_ON);
    let settled = place.tokio.block_on(entry.provider.settle(&entry.listener, skip)).map_err(|error| entry.failed(error));
    entry.listener.done();
    settled
}

fn planned(place: &Place<'_>, entry: &Entry<'_>) -> Result<(), Problem> {
    crate::interrupt::doing("in infra apply: nothing was changed");
    let plan = place.tokio.block_on(entry.provider.plan(&entry.listener)).map_err(Problem::from)?;
    entry.listener.done();
    if entry.listener.is_json() {
        entry.listener.json(json!({"plan": plan, "digest": plan.digest()}));
    } else {
        show(&entry.listener, &plan);
    }
    if !plan.is_empty() && !consent(place.context, "Carry this out? [y/N]", &["y", "Y", "yes"])? {
        place.tokio.block_on(entry.provider.discard(&plan)).map_err(Problem::from)?;
        return Err(Problem::new(ProblemKind::Work, "not agreed to: nothing was changed"));
    }
    carry_out(place, entry, &plan)
}

/// Just this plan, whatever the project's files say by now.
pub(super) fn saved(place: &Place<'_>, path: &Path) -> Result<ExitCode, Problem> {
    let bytes = base::files::read_up_to(path, LARGEST).map_err(|error| crate::cli::usage(error.to_string()))?;
    let PlanFile { plan, digest } = PlanFile::read(&path.display().to_string(), &bytes).map_err(Problem::from)?;
    let environment = &place.context.globals.env;
    if plan.environment != *environment || plan.project != place.project.name() {
        let message = format!(
            "the plan is of `{}` for the environment `{}`, not of `{}` for `{environment}`",
            plan.project,
            plan.environment,
            place.project.name()
        );
        return Err(crate::cli::usage(message).hint(format!("pass `--env {}` in the project's folder", plan.environment)));
    }
    let entry = place.entry(&place.names(std::slice::from_ref(&plan.name))?.concat(), Wanted { planned: true, ..Wanted::default() })?;
    if (entry.stack.as_str(), entry.region.as_str()) != (plan.stack.as_str(), plan.region.as_str()) {
        let message = format!(
            "the plan is of `{}` in {}, and `infra.{}` is `{}` in {}",
            plan.stack, plan.region, plan.name, entry.stack, entry.region
        );
        return Err(Problem::new(ProblemKind::Target, message).hint("make a new plan: `wharf infra plan`"));
    }
    entry.listener.say(&format!("plan {digest}: {}", summary(&plan)));
    carry_out(place, &entry, &plan)?;
    Ok(ExitCode::SUCCESS)
}

fn carry_out(place: &Place<'_>, entry: &Entry<'_>, plan: &Plan) -> Result<(), Problem> {
    crate::interrupt::doing(GOES_ON);
    let began = Instant::now();
    let applied = place.tokio.block_on(entry.provider.apply(&entry.listener, plan)).map_err(|error| entry.failed(error));
    entry.listener.done();
    let standing = applied?;
    let said = &entry.listener;
    // That it stands is told whether or not its cluster can be reached.
    let context = entry.settings.cluster.as_ref().map(|_| output::merged(place, entry, &standing)).transpose();
    if said.is_json() {
        let shown = Standing { outputs: entry.outputs(&standing), ..standing };
        said.json(json!({"applied": shown, "name": entry.name, "context": context.as_ref().ok()}));
        return context.map(drop);
    }
    let took = if plan.is_empty() { String::new() } else { format!(" in {}", show_duration(began.elapsed())) };
    said.say(&format!("{} {} is {}{took}", said.paint(Paint::Green, "+"), entry.stack, standing.status));
    output::show(entry, &standing);
    if let Some(context) = context? {
        said.say(&format!("the cluster is the context `{context}` of your kubeconfig: `kubectl --context {context} get nodes`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::parse_import;

    #[test]
    fn resources_to_take_in_are_named() {
        let import = parse_import("Table:TableName=a:b,Key=x=y").expect("import");
        assert_eq!(import.id, "Table");
        assert_eq!(import.identifier["TableName"], "a:b");
        assert_eq!(import.identifier["Key"], "x=y");
        for wrong in ["", "Bucket", "Bucket:", ":a=b", "Bucket:a"] {
            assert!(parse_import(wrong).is_err(), "{wrong}");
        }
    }
}
