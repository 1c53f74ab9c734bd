//! DL3002: the last USER of a stage is not root.

use crate::rule::{Rule, Sink, Unit};
use base::Severity;
use dockerfile::{Instruction, Kind};

/// See the page.
pub(super) const RULE: Rule = Rule {
    code: "DL3002",
    severity: Severity::Warning,
    summary: "the last USER of a stage is not root",
    page: include_str!("dl3002.md"),
    check,
    fix: None,
};

fn check(unit: &Unit<'_>, sink: &mut Sink<'_>) {
    for stage in &unit.stages.stages {
        let last = stage.instructions.iter().rev().find_map(|instruction| user(instruction).map(|user| (instruction, user)));
        if let Some((instruction, "root" | "0")) = last {
            sink.at(instruction, "the stage ends as root", "end it with a USER that has no rights, best by number");
        }
    }
}

fn user(instruction: &Instruction) -> Option<&str> {
    match &instruction.kind {
        Kind::User(user) => user.text.split(':').next(),
        _ => None,
    }
}
