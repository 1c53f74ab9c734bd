//! DL3025: commands stand in JSON form.

use crate::rule::{Rule, Sink, Unit, is_shell_form};
use base::Severity;
use dockerfile::{Healthcheck, Kind};

/// See the page.
pub(super) const RULE: Rule = Rule {
    code: "DL3025",
    severity: Severity::Warning,
    summary: "commands stand in JSON form",
    page: include_str!("dl3025.md"),
    check,
    fix: None,
};

fn check(unit: &Unit<'_>, sink: &mut Sink<'_>) {
    for instruction in unit.instructions() {
        let command = match &instruction.kind {
            Kind::Cmd(command) | Kind::Entrypoint(command) | Kind::Healthcheck(Healthcheck::Check { command, .. }) => command,
            _ => continue,
        };
        if is_shell_form(command) {
            let name = instruction.keyword.text.to_uppercase();
            sink.at(
                instruction,
                format!("a shell stands between {name} and the program: signals do not reach it"),
                "write it as `[\"program\", \"argument\"]`",
            );
        }
    }
}
