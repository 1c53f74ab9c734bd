//! DL3007: an image is not named by `latest`.

use crate::rule::{Rule, Sink, Unit};
use base::Severity;

/// See the page.
pub(super) const RULE: Rule = Rule {
    code: "DL3007",
    severity: Severity::Warning,
    summary: "an image is not named by `latest`",
    page: include_str!("dl3007.md"),
    check,
    fix: None,
};

fn check(unit: &Unit<'_>, sink: &mut Sink<'_>) {
    for stage in &unit.stages.stages {
        let image = stage.from.image.text.as_str();
        if image.ends_with(":latest") {
            sink.at(stage.head, format!("`{image}` is another image tomorrow"), "name a version, best with its digest");
        }
    }
}
