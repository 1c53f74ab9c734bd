//! DL3009: the lists of apt-get are removed.

use crate::rule::{Rule, RunUnit, Sink, Unit};
use crate::shell::Command;
use base::Severity;
use dockerfile::{Mount, MountKind};

/// See the page.
pub(super) const RULE: Rule = Rule {
    code: "DL3009",
    severity: Severity::Info,
    summary: "the lists of apt-get are removed",
    page: include_str!("dl3009.md"),
    check,
    fix: None,
};

const LISTS: &str = "/var/lib/apt/lists";

fn check(unit: &Unit<'_>, sink: &mut Sink<'_>) {
    for run in &unit.runs {
        let updates =
            run.script.commands.iter().any(|command| (command.name == "apt-get" || command.name == "apt") && command.has("update"));
        if updates && !run.script.commands.iter().any(removes) && !lists_are_mounted(run) && reaches_an_image(unit, run.stage) {
            sink.at(run.instruction, "the lists that apt-get loads stay in the layer", format!("end the same RUN with `rm -rf {LISTS}/*`"));
        }
    }
}

/// As hadolint has it: any `rm -rf`, or an `rm` of the lists.
fn removes(command: &Command) -> bool {
    command.name == "rm" && (command.has("-rf") || command.has("/var/lib/apt/lists/*"))
}

/// Whether the lists lie on a mount, alone or with all of apt's state.
fn lists_are_mounted(run: &RunUnit<'_>) -> bool {
    let mounted = |path: &str| run.run.mounts.iter().any(|mount| target(mount) == Some(path));
    mounted(LISTS) || (mounted("/var/cache/apt") && mounted("/var/lib/apt"))
}

fn target(mount: &Mount) -> Option<&str> {
    let vanishes = matches!(mount.kind, MountKind::Cache | MountKind::Tmpfs);
    mount.target.as_deref().filter(|_| vanishes).map(|target| target.trim_end_matches('/'))
}

/// A stage that is not the last and that no other stands on is only copied from.
fn reaches_an_image(unit: &Unit<'_>, index: usize) -> bool {
    let stages = &unit.stages.stages;
    let name = stages.get(index).and_then(dockerfile::Stage::name);
    index + 1 == stages.len() || name.is_some_and(|name| unit.bases.contains(&name))
}
