//! Go's order: of modules `golang.org/x/mod/semver` with and without `v` (pseudo-versions are pre-releases, `+incompatible` is a build),
//! of the standard library its releases with and without `go` (`go1.21rc2` is semver's `1.21.0-rc.2`, as vuln.go.dev writes it).

use super::semver::Semver;
use super::{Side, leading};
use std::borrow::Cow;
use std::cmp::Ordering;

pub(super) fn compare(left: &str, right: &str) -> Result<Ordering, Side> {
    let (left, right) = (plain(left).ok_or(Side::Left)?, plain(right).ok_or(Side::Right)?);
    let (a, b) = (Semver::short(&left).ok_or(Side::Left)?, Semver::short(&right).ok_or(Side::Right)?);
    Ok(a.order(&b))
}

fn plain(text: &str) -> Option<Cow<'_, str>> {
    match text.strip_prefix("go") {
        Some(release) => of_release(release).map(Cow::Owned),
        // Build information and package URLs have releases without `go`.
        None if is_candidate(text) => of_release(text).map(Cow::Owned),
        None => Some(Cow::Borrowed(text.strip_prefix('v').unwrap_or(text))),
    }
}

/// `1.21rc2`, `1.21rc2 X:boringcrypto`: numbers and a word of Go's, which no module's version has together.
fn is_candidate(text: &str) -> bool {
    let (core, rest) = leading(text, |c| c.is_ascii_digit() || c == '.');
    let (kind, rest) = leading(rest, |c| c.is_ascii_lowercase());
    let (number, rest) = leading(rest, |c| c.is_ascii_digit());
    !core.is_empty() && matches!(kind, "rc" | "beta") && !number.is_empty() && (rest.is_empty() || rest.starts_with([' ', '-', '+']))
}

/// `1.22.1`, `1.21rc2`; what a vendor or an experiment adds behind a space, `-` or `+` is no other release.
fn of_release(text: &str) -> Option<String> {
    let (release, _) = leading(text, |c| !matches!(c, ' ' | '-' | '+'));
    let (core, pre) = leading(release, |c| c.is_ascii_digit() || c == '.');
    if pre.is_empty() {
        return Some(core.to_owned());
    }
    let (kind, number) = leading(pre, |c| c.is_ascii_lowercase());
    let missing = 2_usize.checked_sub(core.matches('.').count())?;
    Some(format!("{core}{}-{kind}.{number}", ".0".repeat(missing)))
}
