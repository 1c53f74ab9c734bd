//! DL3018: apk adds named versions.

use crate::rule::{Rule, Sink, Unit};
use crate::shell::Command;
use base::Severity;

/// See the page.
pub(super) const RULE: Rule = Rule {
    code: "DL3018",
    severity: Severity::Warning,
    summary: "apk adds named versions",
    page: include_str!("dl3018.md"),
    check,
    fix: None,
};

/// Flags of apk whose value is a word of its own.
const VALUE_FLAGS: [&str; 13] = [
    "-t",
    "--virtual",
    "-X",
    "--repository",
    "-p",
    "--root",
    "--arch",
    "--keys-dir",
    "--repositories-file",
    "--wait",
    "--cache-dir",
    "--cache-max-age",
    "--progress-fd",
];

fn check(unit: &Unit<'_>, sink: &mut Sink<'_>) {
    for run in &unit.runs {
        if let Some(package) = run.script.commands.iter().find_map(unpinned) {
            sink.at(run.instruction, format!("apk adds whatever version of `{package}` there is"), format!("write `{package}=VERSION`"));
        }
    }
}

fn unpinned(command: &Command) -> Option<&str> {
    if command.name != "apk" || !command.has("add") {
        return None;
    }
    let mut packages = command.operands(&VALUE_FLAGS).into_iter().filter(|operand| *operand != "add");
    packages.find(|package| !package.contains(['=', '~', '<', '>']) && !package.ends_with(".apk"))
}
