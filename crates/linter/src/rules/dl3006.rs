//! DL3006: an image is named with its tag.

use crate::rule::{Rule, Sink, Unit};
use base::Severity;

/// See the page.
pub(super) const RULE: Rule = Rule {
    code: "DL3006",
    severity: Severity::Warning,
    summary: "an image is named with its tag",
    page: include_str!("dl3006.md"),
    check,
    fix: None,
};

fn check(unit: &Unit<'_>, sink: &mut Sink<'_>) {
    for stage in &unit.stages.stages {
        let image = stage.from.image.text.as_str();
        let another_stage = unit.stages.find_before(image, stage.index).is_some_and(|other| other.name().is_some() && !is_number(image));
        if image == "scratch" || image.starts_with('$') || another_stage || has_version(image) {
            continue;
        }
        sink.at(
            stage.head,
            format!("`{image}` names no version: the next build may stand on another image"),
            "add a tag, best with its digest",
        );
    }
}

fn is_number(image: &str) -> bool {
    image.chars().all(|c| c.is_ascii_digit())
}

/// A tag or a digest; a colon before the last slash is a registry's port.
fn has_version(image: &str) -> bool {
    image.contains('@') || image.rsplit('/').next().is_some_and(|name| name.contains(':'))
}
