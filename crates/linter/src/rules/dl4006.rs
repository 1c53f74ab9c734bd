//! DL4006: a pipe fails when any part of it fails.

use crate::rule::{Rule, RunUnit, Sink, Unit};
use base::Severity;
use dockerfile::{Instruction, Kind};

/// See the page.
pub(super) const RULE: Rule = Rule {
    code: "DL4006",
    severity: Severity::Warning,
    summary: "a pipe fails when any part of it fails",
    page: include_str!("dl4006.md"),
    check,
    fix: None,
};

/// Shells that know `pipefail`, by the names that hadolint knows.
const SHELLS: [&str; 6] = ["/bin/bash", "/bin/zsh", "/bin/ash", "bash", "zsh", "ash"];
/// Shells in which a pipe is something else.
const FOREIGN: [&str; 3] = ["pwsh", "powershell", "cmd"];

fn check(unit: &Unit<'_>, sink: &mut Sink<'_>) {
    let mut runs = unit.runs.iter();
    for stage in &unit.stages.stages {
        let mut safe = false;
        for instruction in &stage.instructions {
            match &instruction.kind {
                Kind::Shell(words) => safe = is_safe(words),
                Kind::Run(_) if pipes(&mut runs, instruction) && !safe => {
                    let help = "write `SHELL [\"/bin/bash\", \"-o\", \"pipefail\", \"-c\"]` before it";
                    sink.at(instruction, "only the last part of the pipe decides whether this fails", help);
                }
                _ => {}
            }
        }
    }
}

/// Whether that RUN pipes. The runs are asked for in their order, so each is passed once.
fn pipes<'r, 'a: 'r>(runs: &mut impl Iterator<Item = &'r RunUnit<'a>>, instruction: &Instruction) -> bool {
    runs.find(|run| std::ptr::eq(run.instruction, instruction)).is_some_and(|run| run.script.pipes)
}

fn is_safe(words: &[String]) -> bool {
    let Some((shell, options)) = words.split_first() else { return false };
    let name = shell.rsplit(['/', '\\']).next().unwrap_or_default().trim_end_matches(".exe");
    let pipefail = || options.iter().flat_map(|option| option.split_whitespace()).any(|word| word == "pipefail");
    FOREIGN.contains(&name) || (SHELLS.contains(&shell.as_str()) && pipefail())
}
