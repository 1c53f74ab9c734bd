//! DL3020: COPY instead of ADD for files and folders.

use crate::rule::{Edit, Rule, Sink, Unit, unquoted};
use base::{Finding, Severity};
use dockerfile::{Add, Kind, Source};

/// See the page.
pub(super) const RULE: Rule = Rule {
    code: "DL3020",
    severity: Severity::Error,
    summary: "COPY instead of ADD for files and folders",
    page: include_str!("dl3020.md"),
    check,
    fix: Some(fix),
};

/// Endings of archives that ADD unpacks, and of those that hadolint takes for such.
const ARCHIVES: [&str; 17] =
    [".tar", ".gz", ".tgz", ".bz2", ".tbz", ".tbz2", ".tb2", ".xz", ".txz", ".lz", ".tlz", ".lzma", ".tpz", ".Z", ".tZ", ".zst", ".tzst"];
/// Beginnings of what ADD fetches.
const REMOTES: [&str; 5] = ["http://", "https://", "git@", "git://", "ssh://"];

fn check(unit: &Unit<'_>, sink: &mut Sink<'_>) {
    for instruction in unit.instructions() {
        if let Kind::Add(add) = &instruction.kind
            && add.sources.iter().any(is_plain)
        {
            sink.at(instruction, "ADD does more than is needed here: it unpacks and fetches by surprise", "write COPY");
        }
    }
}

fn is_plain(source: &Source) -> bool {
    let Source::Path(path) = source else { return true };
    let path = unquoted(&path.text);
    !REMOTES.iter().any(|start| path.starts_with(start)) && !ARCHIVES.iter().any(|end| path.ends_with(end))
}

/// Nothing but plain files, and no flag that COPY lacks: the keyword alone changes.
fn fix(unit: &Unit<'_>, finding: &Finding) -> Option<Edit> {
    let instruction = unit.instructions().find(|instruction| Some(instruction.line) == finding.place.line)?;
    let Kind::Add(add) = &instruction.kind else { return None };
    let Add { sources, checksum: None, keep_git_dir: None, unpack: None, .. } = add else { return None };
    sources.iter().all(is_plain).then(|| Edit { span: instruction.keyword.span, text: "COPY".to_owned() })
}
