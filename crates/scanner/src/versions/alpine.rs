//! Alpine's order (apk-package(5), "PACKAGE NAMES AND VERSIONS"): `number{.number}...{letter}{_suffix{number}}...{~hash}{-r#}`.

use super::{Side, both, leading, numbers};
use std::cmp::Ordering;

pub(super) fn compare(left: &str, right: &str) -> Result<Ordering, Side> {
    both(left, right, read, |left, right| {
        let longest = left.len().max(right.len());
        (0..longest).map(|at| part(left.get(at), right.get(at))).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    })
}

/// The suffixes in their order; those before [`FIRST_AFTER`] make a version older than without.
const SUFFIXES: [&str; 10] = ["alpha", "beta", "pre", "rc", "cvs", "svn", "git", "hg", "p", ""];
const FIRST_AFTER: usize = 4;

/// A part of a version. Where two versions have different kinds at the same place, the kind that stands earlier here is the newer.
#[derive(Clone, Copy, Debug)]
enum Part<'v> {
    First(&'v str),
    Number(&'v str),
    Letter(&'v str),
    Suffix(usize),
    SuffixNumber(&'v str),
    Hash(&'v str),
    Revision(&'v str),
}

impl Part<'_> {
    const fn kind(self) -> u8 {
        match self {
            Self::First(_) => 0,
            Self::Number(_) => 1,
            Self::Letter(_) => 2,
            Self::Suffix(_) => 3,
            Self::SuffixNumber(_) => 4,
            Self::Hash(_) => 5,
            Self::Revision(_) => 6,
        }
    }
}

const END: u8 = 7;

fn part(left: Option<&Part<'_>>, right: Option<&Part<'_>>) -> Ordering {
    match (left, right) {
        (Some(Part::First(a)), Some(Part::First(b)))
        | (Some(Part::SuffixNumber(a)), Some(Part::SuffixNumber(b)))
        | (Some(Part::Revision(a)), Some(Part::Revision(b))) => numbers(a, b),
        // A leading zero makes a number a fraction's digits.
        (Some(Part::Number(a)), Some(Part::Number(b))) if a.starts_with('0') || b.starts_with('0') => a.cmp(b),
        (Some(Part::Number(a)), Some(Part::Number(b))) => numbers(a, b),
        (Some(Part::Letter(a)), Some(Part::Letter(b))) | (Some(Part::Hash(a)), Some(Part::Hash(b))) => a.cmp(b),
        (Some(Part::Suffix(a)), Some(Part::Suffix(b))) => a.cmp(b),
        (Some(Part::Suffix(before)), _) if *before < FIRST_AFTER => Ordering::Less,
        (_, Some(Part::Suffix(before))) if *before < FIRST_AFTER => Ordering::Greater,
        (a, b) => {
            let kind = |part: Option<&Part<'_>>| part.map_or(END, |part| part.kind());
            kind(b).cmp(&kind(a))
        }
    }
}

fn read(text: &str) -> Option<Vec<Part<'_>>> {
    let digits = |text| leading(text, |c: char| c.is_ascii_digit());
    let (first, mut rest) = digits(text);
    let mut parts = vec![Part::First(some(first)?)];
    while let Some(after) = rest.strip_prefix('.') {
        let (number, after) = digits(after);
        parts.push(Part::Number(some(number)?));
        rest = after;
    }
    if rest.starts_with(|c: char| c.is_ascii_lowercase()) {
        let (letter, after) = rest.split_at(1);
        parts.push(Part::Letter(letter));
        rest = after;
    }
    while let Some(after) = rest.strip_prefix('_') {
        let (suffix, after) = leading(after, |c| c.is_ascii_lowercase());
        parts.push(Part::Suffix(SUFFIXES.iter().position(|known| *known == suffix).filter(|_| !suffix.is_empty())?));
        let (number, after) = digits(after);
        parts.extend(some(number).map(Part::SuffixNumber));
        rest = after;
    }
    if let Some(after) = rest.strip_prefix('~') {
        let (hash, after) = leading(after, |c| matches!(c, '0'..='9' | 'a'..='f'));
        parts.push(Part::Hash(some(hash)?));
        rest = after;
    }
    if let Some(after) = rest.strip_prefix("-r") {
        let (number, after) = digits(after);
        parts.push(Part::Revision(some(number)?));
        rest = after;
    }
    rest.is_empty().then_some(parts)
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
