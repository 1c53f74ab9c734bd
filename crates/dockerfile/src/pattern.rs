//! The patterns of `${name#...}`, `${name%...}` and `${name/...}`: `*`, `?` and plain characters.

use crate::lexer::ExpandError;

/// Comparisons of one character that a single substitution may cost.
const MOST_WORK: usize = 50_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Any,
    One,
    Char(char),
}

/// A pattern over characters.
pub(crate) struct Pattern(Vec<Part>);

impl Pattern {
    pub(crate) fn parse(text: &str) -> Result<Self, ExpandError> {
        let mut parts = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            parts.push(match c {
                '*' => Part::Any,
                '?' => Part::One,
                '\\' => match chars.next() {
                    Some(c @ ('*' | '?' | '\\' | '}' | '/')) => Part::Char(c),
                    _ => return Err(ExpandError::BadPattern(text.to_owned())),
                },
                c => Part::Char(c),
            });
        }
        Ok(Self(parts))
    }

    pub(crate) fn cut_start(&self, value: &str, longest: bool) -> Result<String, ExpandError> {
        let chars: Vec<char> = value.chars().collect();
        self.bound(chars.len(), 1)?;
        let cut = ends(&self.0, &chars, longest).unwrap_or(0);
        Ok(chars.into_iter().skip(cut).collect())
    }

    pub(crate) fn cut_end(&self, value: &str, longest: bool) -> Result<String, ExpandError> {
        let chars: Vec<char> = value.chars().rev().collect();
        self.bound(chars.len(), 1)?;
        let parts: Vec<Part> = self.0.iter().rev().copied().collect();
        let cut = ends(&parts, &chars, longest).unwrap_or(0);
        Ok(chars.into_iter().skip(cut).rev().collect())
    }

    /// Replaces the first longest match, or all of them.
    pub(crate) fn replace(&self, value: &str, with: &str, all: bool) -> Result<String, ExpandError> {
        let chars: Vec<char> = value.chars().collect();
        self.bound(chars.len(), chars.len())?;
        if self.0.is_empty() {
            return Ok(value.to_owned());
        }
        let (mut text, mut at, mut done) = (String::new(), 0, false);
        while at < chars.len() {
            let rest = chars.get(at..).unwrap_or_default();
            match ends(&self.0, rest, true).filter(|length| *length > 0 && !done) {
                Some(length) => {
                    text.push_str(with);
                    at += length;
                    done = !all;
                }
                None => {
                    text.extend(rest.first());
                    at += 1;
                }
            }
            if text.len() > MOST_WORK {
                return Err(ExpandError::TooLarge);
            }
        }
        Ok(text)
    }

    fn bound(&self, length: usize, times: usize) -> Result<(), ExpandError> {
        let work = (self.0.len() + 1).saturating_mul(length + 1).saturating_mul(times.max(1));
        if work > MOST_WORK { Err(ExpandError::TooLarge) } else { Ok(()) }
    }
}

/// How many leading characters the whole pattern can match: the fewest, or the most.
fn ends(parts: &[Part], chars: &[char], longest: bool) -> Option<usize> {
    let mut reachable = vec![false; chars.len() + 1];
    reachable[0] = true;
    for part in parts {
        reachable = advance(*part, &reachable, chars);
    }
    if longest { reachable.iter().rposition(|r| *r) } else { reachable.iter().position(|r| *r) }
}

fn advance(part: Part, reachable: &[bool], chars: &[char]) -> Vec<bool> {
    let mut next = vec![false; reachable.len()];
    match part {
        Part::Any => {
            let from = reachable.iter().position(|r| *r).unwrap_or(reachable.len());
            next.iter_mut().skip(from).for_each(|r| *r = true);
        }
        Part::One | Part::Char(_) => {
            for (at, c) in chars.iter().enumerate() {
                let matches = part == Part::One || part == Part::Char(*c);
                if let (true, true, Some(next)) = (matches, reachable[at], next.get_mut(at + 1)) {
                    *next = true;
                }
            }
        }
    }
    next
}
