//! Semantic versions (semver.org 2.0.0, section 11), as crates.io and npm read them; Go's are these too.

use super::{Side, both, numbers};
use std::cmp::Ordering;

/// crates.io: the specification to the letter.
pub(super) fn compare_cargo(left: &str, right: &str) -> Result<Ordering, Side> {
    both(left, right, Semver::strict, Semver::order)
}

/// npm: what stands before the number is passed over, and no number is larger than JavaScript counts.
pub(super) fn compare_npm(left: &str, right: &str) -> Result<Ordering, Side> {
    const LARGEST: &str = "9007199254740991";
    const LONGEST: usize = 256;
    let read = |text| {
        let version: Semver<'_> = Semver::strict(str::trim(text).trim_start_matches(['v', '=', ' ', '\t']))?;
        let fits = version.numbers.iter().all(|number| numbers(number, LARGEST).is_le());
        (fits && text.len() <= LONGEST).then_some(version)
    };
    both(left, right, read, Semver::order)
}

/// A version without its build.
pub(super) struct Semver<'v> {
    numbers: [&'v str; 3],
    pre: &'v str,
}

impl<'v> Semver<'v> {
    /// All three numbers, as the specification wants them.
    pub(super) fn strict(text: &'v str) -> Option<Self> {
        Self::read(text, false)
    }

    /// The same, but `1` and `1.2` stand for `1.0.0` and `1.2.0`, where nothing follows them.
    pub(super) fn short(text: &'v str) -> Option<Self> {
        Self::read(text, true)
    }

    fn read(text: &'v str, short: bool) -> Option<Self> {
        let (rest, build) = text.split_once('+').map_or((text, None), |(rest, build)| (rest, Some(build)));
        let (core, pre) = rest.split_once('-').map_or((rest, None), |(core, pre)| (core, Some(pre)));
        let mut numbers = ["0"; 3];
        let mut count = 0;
        for number in core.split('.') {
            *numbers.get_mut(count)? = Some(number).filter(|number| is_number(number))?;
            count += 1;
        }
        let is_whole = count == 3 || (short && build.is_none() && pre.is_none());
        let is_read = is_whole
            && pre.is_none_or(|pre| pre.split('.').all(|part| is_identifier(part) && (!is_digits(part) || is_number(part))))
            && build.is_none_or(|build| build.split('.').all(is_identifier));
        is_read.then(|| Self { numbers, pre: pre.unwrap_or_default() })
    }

    /// Builds count for nothing.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let core = self.numbers.iter().zip(other.numbers).map(|(a, b)| numbers(a, b)).find(|order| order.is_ne());
        core.unwrap_or_else(|| pre_releases(self.pre, other.pre))
    }
}

fn pre_releases(left: &str, right: &str) -> Ordering {
    match (left.is_empty(), right.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) => match (is_digits(a), is_digits(b)) {
                (true, true) => numbers(a, b),
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                (false, false) => a.cmp(b),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Without leading zeros.
fn is_number(text: &str) -> bool {
    is_digits(text) && (text == "0" || !text.starts_with('0'))
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
