//! DL3042: pip keeps no cache in the image.

use super::pip;
use crate::rule::{Rule, RunUnit, Sink, Unit, unquoted};
use base::Severity;
use dockerfile::{Kind, MountKind};

/// See the page.
pub(super) const RULE: Rule = Rule {
    code: "DL3042",
    severity: Severity::Warning,
    summary: "pip keeps no cache in the image",
    page: include_str!("dl3042.md"),
    check,
    fix: None,
};

const VARIABLE: &str = "PIP_NO_CACHE_DIR";
const TRUE: [&str; 10] = ["1", "true", "True", "TRUE", "on", "On", "ON", "yes", "Yes", "YES"];

fn check(unit: &Unit<'_>, sink: &mut Sink<'_>) {
    let off = switched_off(unit);
    for run in &unit.runs {
        let mut installs = run.script.commands.iter().filter(|command| command.name != "pipx" && pip::install_arguments(command).is_some());
        let caches = installs.any(|command| !command.has("--no-cache-dir"));
        if caches && !switched_off_here(run) && !cache_is_mounted(run) && !off_before(&off, run) {
            sink.at(run.instruction, "pip leaves its cache in the layer", "add `--no-cache-dir`, or mount a cache over it");
        }
    }
}

fn switched_off_here(run: &RunUnit<'_>) -> bool {
    let exported = |argument: &String| argument.split_once('=').is_some_and(|(name, value)| name == VARIABLE && TRUE.contains(&value));
    run.script.commands.iter().any(|command| {
        let assigned = command.assignments.iter().any(|(name, value)| name == VARIABLE && TRUE.contains(&value.as_str()));
        assigned || (command.name == "export" && command.arguments.iter().any(exported))
    })
}

fn cache_is_mounted(run: &RunUnit<'_>) -> bool {
    run.run.mounts.iter().any(|mount| {
        let target = mount.target.as_deref().unwrap_or_default().trim_end_matches('/');
        matches!(mount.kind, MountKind::Cache | MountKind::Tmpfs) && target.ends_with(".cache/pip")
    })
}

fn off_before(off: &[Option<u32>], run: &RunUnit<'_>) -> bool {
    off.get(run.stage).copied().flatten().is_some_and(|line| line < run.instruction.line)
}

/// For each stage the line from which on the variable is set, by an ENV in it or in those it stands on.
fn switched_off(unit: &Unit<'_>) -> Vec<Option<u32>> {
    let mut off: Vec<Option<u32>> = Vec::new();
    for stage in &unit.stages.stages {
        let base = unit.stages.find_before(&stage.from.image.text, stage.index);
        let inherited = base.and_then(|base| off.get(base.index).copied().flatten());
        let here = || stage.instructions.iter().find(|instruction| sets(&instruction.kind)).map(|instruction| instruction.line);
        off.push(inherited.or_else(here));
    }
    off
}

fn sets(kind: &Kind) -> bool {
    let Kind::Env(pairs) = kind else { return false };
    pairs.iter().any(|pair| {
        let value = if pair.legacy { pair.value.text.as_str() } else { unquoted(&pair.value.text) };
        pair.key.text == VARIABLE && TRUE.contains(&value)
    })
}
