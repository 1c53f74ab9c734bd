//! `wharf infra output`: values, and a kubeconfig whose tokens this program makes.

use super::declared::{Entry, Place, Wanted};
use crate::output::printable;
use ::infra::eks::{self, TokenCommand};
use ::infra::provider::Standing;
use base::{Problem, ProblemKind};
use serde_json::{Value, json};
use std::process::ExitCode;

fn standing(place: &Place<'_>, entry: &Entry<'_>) -> Result<Standing, Problem> {
    let standing = place.tokio.block_on(entry.provider.read()).map_err(Problem::from)?;
    let missing = || Problem::new(ProblemKind::Target, format!("`{}` is not there", entry.stack)).hint("`wharf infra apply` makes it");
    let standing = standing.ok_or_else(missing)?;
    if !standing.foreign.is_empty() {
        entry.listener.warning(&entry.listener.shown(&format!("`{}` is another's: {}", entry.stack, standing.foreign)));
    }
    Ok(standing)
}

pub(super) fn run(place: &Place<'_>, only: &[String], name: Option<&str>) -> Result<ExitCode, Problem> {
    let output = &place.context.output;
    if let Some(name) = name {
        let entry = place.one(only)?;
        let standing = standing(place, &entry)?;
        let value = standing.outputs.get(name).ok_or_else(|| {
            let known: Vec<&str> = standing.outputs.keys().map(String::as_str).collect();
            crate::cli::usage(format!("`{}` hands out no `{name}`", entry.stack)).hint(format!("there are: {}", known.join(", ")))
        })?;
        if output.is_json() {
            output.json(&json!(value));
        } else {
            output.data(&printable(value));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut all = serde_json::Map::new();
    for name in place.names(only)? {
        let entry = place.entry(&name, Wanted::default())?;
        let standing = standing(place, &entry)?;
        if !output.is_json() {
            show(&entry, &standing);
        }
        let document = json!({"stack": entry.stack, "status": standing.status, "outputs": standing.outputs});
        all.insert(name, entry.listener.masked(document));
    }
    if output.is_json() {
        output.json(&Value::Object(all));
    }
    Ok(ExitCode::SUCCESS)
}

/// Lines `NAME=VALUE`, without secrets: who wants one asks for it by its name.
pub(super) fn show(entry: &Entry<'_>, standing: &Standing) {
    for (name, value) in entry.outputs(standing) {
        entry.listener.data(&entry.listener.shown(&format!("{name}={value}")));
    }
}

/// Prints a kubeconfig for the entry's cluster.
pub(super) fn kubeconfig(place: &Place<'_>, only: &[String]) -> Result<ExitCode, Problem> {
    let entry = place.one(only)?;
    let (_, config) = made(place, &entry, &standing(place, &entry)?)?;
    place.context.output.data(&format!("{config:#}"));
    Ok(ExitCode::SUCCESS)
}

/// Adds it to the user's own.
pub(super) fn merge(place: &Place<'_>, only: &[String]) -> Result<ExitCode, Problem> {
    let entry = place.one(only)?;
    let context = merged(place, &entry, &standing(place, &entry)?)?;
    if place.context.output.is_json() {
        place.context.output.json(&json!({"context": context}));
    }
    place.context.output.say(&format!("added the context `{context}` to your kubeconfig; use it with `kubectl --context {context}`"));
    Ok(ExitCode::SUCCESS)
}

/// Adds the cluster to the user's own kubeconfig; gives the context's name.
pub(super) fn merged(place: &Place<'_>, entry: &Entry<'_>, standing: &Standing) -> Result<String, Problem> {
    let (context, config) = made(place, entry, standing)?;
    crate::kubeconfig::merge(config.to_string().as_bytes())?;
    Ok(context)
}

fn made(place: &Place<'_>, entry: &Entry<'_>, standing: &Standing) -> Result<(String, Value), Problem> {
    let settings = &entry.settings;
    let output = settings.cluster.as_deref().ok_or_else(|| {
        crate::cli::usage(format!("`infra.{}` names no cluster", entry.name)).hint("`cluster: OUTPUT` names the output that names it")
    })?;
    let cluster = standing.outputs.get(output).ok_or_else(|| {
        let known: Vec<&str> = standing.outputs.keys().map(String::as_str).collect();
        crate::cli::usage(format!("`{}` hands out no `{output}`, which is to name the cluster", entry.stack))
            .hint(format!("there are: {}", known.join(", ")))
    })?;
    let access = place.tokio.block_on(entry.provider.cluster(cluster)).map_err(Problem::from)?;
    let context = settings.context.clone().unwrap_or_else(|| cluster.clone());
    let host = |error: std::io::Error| Problem::new(ProblemKind::Host, format!("cannot find this program: {error}"));
    let program = std::env::current_exe().map_err(host)?.display().to_string();
    let mut arguments: Vec<String> = ["infra", "token", "--cluster", cluster, "--region", &entry.region].map(str::to_owned).to_vec();
    // As whom and where it was asked now, whatever says so: kubectl is run with another environment.
    for (flag, value) in [("--profile", &entry.profile), ("--endpoint", &entry.endpoint)] {
        arguments.extend(value.iter().flat_map(|value| [flag.to_owned(), value.clone()]));
    }
    let command = TokenCommand { program, arguments, variables: super::credentials::whereabouts() };
    let config = eks::kubeconfig(&context, &access, &command);
    Ok((context, config))
}
