//! Debian's order (Policy manual 5.6.12): `epoch:upstream-revision`, letters before other characters, `~` before everything.

use super::{Side, both, leading, numbers};
use std::cmp::Ordering;

pub(super) fn compare(left: &str, right: &str) -> Result<Ordering, Side> {
    both(left, right, Version::read, |left, right| {
        numbers(left.epoch, right.epoch)
            .then_with(|| parts(left.upstream, right.upstream))
            .then_with(|| parts(left.revision, right.revision))
    })
}

struct Version<'v> {
    epoch: &'v str,
    upstream: &'v str,
    revision: &'v str,
}

impl<'v> Version<'v> {
    fn read(text: &'v str) -> Option<Self> {
        let text = text.trim();
        let (epoch, rest) = text.split_once(':').unwrap_or(("0", text));
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
        let allowed = |part: &str, more: &str| part.chars().all(|c| c.is_ascii_alphanumeric() || ".+~".contains(c) || more.contains(c));
        let is_read = !epoch.is_empty()
            && epoch.bytes().all(|byte| byte.is_ascii_digit())
            && !upstream.is_empty()
            && allowed(upstream, "-:")
            && !revision.is_empty()
            && allowed(revision, "");
        is_read.then_some(Self { epoch, upstream, revision })
    }
}

/// Texts of other characters and numbers by turns.
fn parts(mut left: &str, mut right: &str) -> Ordering {
    while !left.is_empty() || !right.is_empty() {
        let (left_text, left_rest) = leading(left, |c| !c.is_ascii_digit());
        let (right_text, right_rest) = leading(right, |c| !c.is_ascii_digit());
        let (left_number, left_rest) = leading(left_rest, |c| c.is_ascii_digit());
        let (right_number, right_rest) = leading(right_rest, |c| c.is_ascii_digit());
        let order = texts(left_text, right_text).then_with(|| numbers(left_number, right_number));
        if order != Ordering::Equal {
            return order;
        }
        (left, right) = (left_rest, right_rest);
    }
    Ordering::Equal
}

fn texts(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.bytes(), right.bytes());
    loop {
        let (a, b) = (left.next(), right.next());
        let order = weight(a).cmp(&weight(b));
        if order != Ordering::Equal || (a.is_none() && b.is_none()) {
            return order;
        }
    }
}

fn weight(byte: Option<u8>) -> i32 {
    match byte {
        Some(b'~') => -1,
        None => 0,
        Some(letter) if letter.is_ascii_alphabetic() => i32::from(letter),
        Some(other) => i32::from(other) + 256,
    }
}
