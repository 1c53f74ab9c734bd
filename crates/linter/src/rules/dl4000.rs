//! DL4000: MAINTAINER is not used any more.

use crate::rule::{Edit, Rule, Sink, Unit};
use base::{Finding, Severity};
use dockerfile::{Kind, Span};

/// See the page.
pub(super) const RULE: Rule = Rule {
    code: "DL4000",
    severity: Severity::Error,
    summary: "MAINTAINER is not used any more",
    page: include_str!("dl4000.md"),
    check,
    fix: Some(fix),
};

fn check(unit: &Unit<'_>, sink: &mut Sink<'_>) {
    for instruction in unit.instructions() {
        if matches!(instruction.kind, Kind::Maintainer(_)) {
            sink.at(instruction, "MAINTAINER was given up", "write `LABEL org.opencontainers.image.authors=\"NAME\"`");
        }
    }
}

fn fix(unit: &Unit<'_>, finding: &Finding) -> Option<Edit> {
    let instruction = unit.instructions().find(|instruction| Some(instruction.line) == finding.place.line)?;
    let Kind::Maintainer(name) = &instruction.kind else { return None };
    let name = crate::rule::unquoted(&name.text).replace(['"', '\\', '$'], "");
    let span = Span::new(instruction.keyword.span.start, instruction.arguments.span.end);
    Some(Edit { span, text: format!("LABEL org.opencontainers.image.authors=\"{name}\"") })
}
