//! DL3015: apt-get installs no recommended packages.

use crate::rule::{Rule, Sink, Unit};
use crate::shell::Command;
use base::Severity;

/// See the page.
pub(super) const RULE: Rule = Rule {
    code: "DL3015",
    severity: Severity::Info,
    summary: "apt-get installs no recommended packages",
    page: include_str!("dl3015.md"),
    check,
    fix: None,
};

fn check(unit: &Unit<'_>, sink: &mut Sink<'_>) {
    for run in &unit.runs {
        if run.script.commands.iter().any(recommends) {
            sink.at(
                run.instruction,
                "apt-get installs what packages recommend, too",
                "add `--no-install-recommends`, and name what is needed of them",
            );
        }
    }
}

fn recommends(command: &Command) -> bool {
    let forbids = |argument: &String| argument.starts_with("--no-install-recommends") || argument == "APT::Install-Recommends=false";
    command.name == "apt-get" && command.has("install") && !command.arguments.iter().any(forbids)
}
