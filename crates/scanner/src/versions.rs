//! Which of two versions is newer, by the rules of whoever numbers them: each order is a file in `versions/` and a line in [`compare`].

mod alpine;
mod debian;
mod go;
mod pypi;
mod semver;

use crate::Ecosystem;
use std::borrow::Cow;
use std::cmp::Ordering;

/// Longer versions are not read; the longest order that names a limit, npm's, stops at 256 characters.
const LONGEST: usize = 512;

/// A version that its ecosystem's rules do not read, so that nothing can be said of its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{version}` is no version of {ecosystem}")]
pub struct Unordered {
    /// Who numbers it.
    pub ecosystem: Ecosystem,
    /// As written.
    pub version: String,
}

/// Which of two versions comes first.
///
/// # Errors
/// The one that the ecosystem's rules do not read.
pub fn compare(ecosystem: &Ecosystem, left: &str, right: &str) -> Result<Ordering, Unordered> {
    let order = match ecosystem {
        Ecosystem::Debian(_) | Ecosystem::Ubuntu(_) => debian::compare,
        Ecosystem::Alpine(_) => alpine::compare,
        Ecosystem::Cargo => semver::compare_cargo,
        Ecosystem::Npm => semver::compare_npm,
        Ecosystem::PyPi => pypi::compare,
        Ecosystem::Go => go::compare,
    };
    let unread = |version: &str| Unordered { ecosystem: ecosystem.clone(), version: version.chars().take(LONGEST).collect() };
    if let Some(long) = [left, right].into_iter().find(|version| version.len() > LONGEST) {
        return Err(unread(long));
    }
    order(left, right).map_err(|side| match side {
        Side::Left => unread(left),
        Side::Right => unread(right),
    })
}

/// Whether a version can be read at all.
pub fn is_version(ecosystem: &Ecosystem, version: &str) -> bool {
    compare(ecosystem, version, version).is_ok()
}

/// As databases of advisories write versions of crates.io and npm now and then: `0.1` for `0.1.0`. Others are as they are.
pub(crate) fn completed<'v>(ecosystem: &Ecosystem, version: &'v str) -> Cow<'v, str> {
    let missing = 2_usize.saturating_sub(version.matches('.').count());
    if matches!(ecosystem, Ecosystem::Cargo | Ecosystem::Npm) && missing > 0 && version != "0" {
        let whole = version.to_owned() + &".0".repeat(missing);
        if is_version(ecosystem, &whole) {
            return Cow::Owned(whole);
        }
    }
    Cow::Borrowed(version)
}

/// Which of two versions could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Reads both and compares what was read.
fn both<'v, T>(
    left: &'v str,
    right: &'v str,
    read: impl Fn(&'v str) -> Option<T>,
    compare: impl Fn(&T, &T) -> Ordering,
) -> Result<Ordering, Side> {
    let (left, right) = (read(left).ok_or(Side::Left)?, read(right).ok_or(Side::Right)?);
    Ok(compare(&left, &right))
}

/// Decimal numbers of any length.
fn numbers(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.trim_start_matches('0'), right.trim_start_matches('0'));
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

/// Splits what begins a text and passes the test from the rest.
fn leading(text: &str, test: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !test(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests;
