//! Comments that silence rules: `# hadolint ignore=..`, `# hadolint stage ignore=..`, `# hadolint global ignore=..`.

use base::Finding;
use dockerfile::Parsed;
use std::collections::HashMap;

/// How far a pragma reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// The instruction on the next line.
    Next,
    /// The stage that the FROM on the next line opens, that FROM not counted.
    Stage,
    /// The whole file.
    File,
}

/// The pragmas of a file.
#[derive(Default)]
pub(crate) struct Pragmas {
    next: HashMap<u32, Vec<String>>,
    stage: HashMap<u32, Vec<String>>,
    file: Vec<String>,
    /// The lines of the FROM instructions.
    heads: Vec<u32>,
}

impl Pragmas {
    pub(crate) fn of(parsed: &Parsed) -> Self {
        let heads = parsed.stages().stages.iter().map(|stage| stage.head.line).collect();
        let mut pragmas = Self { heads, ..Self::default() };
        for comment in parsed.comments() {
            match read(&comment.text) {
                Some((Reach::Next, codes)) => drop(pragmas.next.insert(comment.line + 1, codes)),
                Some((Reach::Stage, codes)) => drop(pragmas.stage.insert(comment.line + 1, codes)),
                Some((Reach::File, codes)) => pragmas.file.extend(codes),
                None => {}
            }
        }
        pragmas.file.sort();
        pragmas.file.dedup();
        pragmas
    }

    /// Whether a finding is to be kept silent.
    pub(crate) fn silence(&self, finding: &Finding) -> bool {
        let line = finding.place.line.unwrap_or(0);
        let head = self.heads.partition_point(|head| *head < line).checked_sub(1).and_then(|index| self.heads.get(index));
        let next = self.next.get(&line);
        let stage = head.and_then(|head| self.stage.get(head));
        let listed = [next, stage].into_iter().flatten().any(|codes| codes.contains(&finding.rule));
        listed || self.file.binary_search(&finding.rule).is_ok()
    }
}

/// Reads `hadolint [stage|global] ignore=A,B`; a reason may follow behind a second `#`.
fn read(comment: &str) -> Option<(Reach, Vec<String>)> {
    let rest = comment.strip_prefix("hadolint")?;
    let body = rest.split('#').next()?;
    let (words, codes) = body.split_once('=')?;
    let reach = match words.split_whitespace().collect::<Vec<_>>().as_slice() {
        ["ignore"] => Reach::Next,
        ["stage", "ignore"] => Reach::Stage,
        ["global", "ignore"] => Reach::File,
        _ => return None,
    };
    if !rest.starts_with(char::is_whitespace) {
        return None;
    }
    let codes: Vec<String> = codes.split(',').map(|code| code.trim().to_owned()).collect();
    let valid = |code: &String| !code.is_empty() && code.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    codes.iter().all(valid).then_some((reach, codes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_three_reaches() {
        for (text, expected) in [
            ("hadolint ignore=DL3006,SC1035", Some((Reach::Next, vec!["DL3006", "SC1035"]))),
            ("hadolint   ignore = DL3006, DL3007 # why", Some((Reach::Next, vec!["DL3006", "DL3007"]))),
            ("hadolint stage ignore=DL3006", Some((Reach::Stage, vec!["DL3006"]))),
            ("hadolint global ignore=DL3006", Some((Reach::File, vec!["DL3006"]))),
            ("hadolint ignore=DL3006 because", None),
            ("hadolint ignore=", None),
            ("hadolint ignore: DL3006", None),
            ("hadolint shell=powershell", None),
            ("Hadolint ignore=DL3006", None),
            ("hadolintignore=DL3006", None),
            ("see hadolint ignore=DL3006", None),
        ] {
            let expected = expected.map(|(reach, codes)| (reach, codes.into_iter().map(String::from).collect::<Vec<_>>()));
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
