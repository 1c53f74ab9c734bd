//! DL3003: WORKDIR instead of `cd`.

use crate::rule::{Rule, Sink, Unit};
use base::Severity;

/// See the page.
pub(super) const RULE: Rule = Rule {
    code: "DL3003",
    severity: Severity::Warning,
    summary: "WORKDIR instead of `cd`",
    page: include_str!("dl3003.md"),
    check,
    fix: None,
};

fn check(unit: &Unit<'_>, sink: &mut Sink<'_>) {
    for run in unit.runs.iter().filter(|run| !run.on_build) {
        if run.script.commands.iter().any(|command| command.name == "cd") {
            sink.at(run.instruction, "`cd` changes the folder of this one RUN only", "write WORKDIR before it");
        }
    }
}
