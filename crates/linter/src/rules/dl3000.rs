//! DL3000: WORKDIR is an absolute path.

use crate::rule::{Rule, Sink, Unit, unquoted};
use base::Severity;
use dockerfile::Kind;

/// See the page.
pub(super) const RULE: Rule = Rule {
    code: "DL3000",
    severity: Severity::Error,
    summary: "WORKDIR is an absolute path",
    page: include_str!("dl3000.md"),
    check,
    fix: None,
};

fn check(unit: &Unit<'_>, sink: &mut Sink<'_>) {
    for instruction in unit.instructions() {
        if let Kind::Workdir(path) = &instruction.kind {
            let path = unquoted(&path.text);
            if !path.starts_with(['/', '$']) && !has_drive(path) {
                sink.at(
                    instruction,
                    format!("`{path}` depends on the folder that the base happens to be in"),
                    "write the whole path, from `/` on",
                );
            }
        }
    }
}

/// `C:\\folder`, as Windows images have it.
fn has_drive(path: &str) -> bool {
    let mut chars = path.chars();
    matches!((chars.next(), chars.next(), chars.next()), (Some(letter), Some(':'), Some('\\' | '/')) if letter.is_ascii_alphabetic())
}
