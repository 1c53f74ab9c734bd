//! PyPI's order (the version specifiers' specification, once PEP 440). What it does not read is told, as `packaging` does, and not guessed.

use super::{Side, both};
use pep440_rs::Version;
use std::cmp::Ordering;
use std::str::FromStr;

pub(super) fn compare(left: &str, right: &str) -> Result<Ordering, Side> {
    both(left, right, |text| Version::from_str(text).ok(), Version::cmp)
}
