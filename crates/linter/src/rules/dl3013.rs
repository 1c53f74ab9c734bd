//! DL3013: pip installs named versions.

use super::pip;
use crate::rule::{Rule, Sink, Unit};
use crate::shell::Command;
use base::Severity;

/// See the page.
pub(super) const RULE: Rule = Rule {
    code: "DL3013",
    severity: Severity::Warning,
    summary: "pip installs named versions",
    page: include_str!("dl3013.md"),
    check,
    fix: None,
};

fn check(unit: &Unit<'_>, sink: &mut Sink<'_>) {
    for run in &unit.runs {
        if let Some(package) = run.script.commands.iter().find_map(unpinned) {
            sink.at(
                run.instruction,
                format!("pip installs whatever version of `{package}` there is"),
                format!("write `{package}==VERSION`, or a requirements file"),
            );
        }
    }
}

fn unpinned(command: &Command) -> Option<String> {
    let arguments = pip::install_arguments(command)?;
    if arguments.iter().any(|argument| fixes_versions(argument)) {
        return None;
    }
    let install = Command { arguments: arguments.to_vec(), ..Command::default() };
    let packages = install.operands(&pip::VALUE_FLAGS);
    packages.into_iter().find(|package| !is_pinned(package)).map(ToOwned::to_owned)
}

/// A requirements or constraints file, or the project in this folder, says which versions.
fn fixes_versions(argument: &str) -> bool {
    let long = ["--requirement", "--constraint"].iter().any(|flag| argument.starts_with(flag));
    let short = (argument.starts_with("-r") || argument.starts_with("-c")) && !argument.starts_with("--");
    long || short || argument == "."
}

fn is_pinned(package: &str) -> bool {
    let from_repository = ["git+", "hg+", "svn+", "bzr+"].iter().any(|scheme| package.starts_with(scheme));
    let is_file = package.contains('/') || package.ends_with(".whl") || package.ends_with(".tar.gz");
    let has_version = ["==", ">=", "<=", "!=", "~=", ">", "<", "@"].iter().any(|operator| package.contains(operator));
    has_version || (is_file && !from_repository)
}
