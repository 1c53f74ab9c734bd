//! DL3008: apt-get installs named versions.

use crate::rule::{Rule, Sink, Unit};
use crate::shell::Command;
use base::Severity;

/// See the page.
pub(super) const RULE: Rule = Rule {
    code: "DL3008",
    severity: Severity::Warning,
    summary: "apt-get installs named versions",
    page: include_str!("dl3008.md"),
    check,
    fix: None,
};

/// Flags of apt-get whose value is a word of its own.
const VALUE_FLAGS: [&str; 4] = ["-t", "--target-release", "-o", "--option"];

fn check(unit: &Unit<'_>, sink: &mut Sink<'_>) {
    for run in &unit.runs {
        if let Some(package) = run.script.commands.iter().find_map(unpinned) {
            sink.at(
                run.instruction,
                format!("apt-get installs whatever version of `{package}` there is"),
                format!("write `{package}=VERSION`"),
            );
        }
    }
}

fn unpinned(command: &Command) -> Option<&str> {
    if command.name != "apt-get" || !command.has("install") {
        return None;
    }
    let mut packages = command.operands(&VALUE_FLAGS).into_iter().filter(|operand| *operand != "install");
    packages.find(|package| !package.contains(['=', '/']) && !package.ends_with(".deb"))
}
