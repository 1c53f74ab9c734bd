//! All rules: each a file and a page in `rules/` and a line in [`RULES`].

mod dl3000;
mod dl3002;
mod dl3003;
mod dl3006;
mod dl3007;
mod dl3008;
mod dl3009;
mod dl3013;
mod dl3015;
mod dl3018;
mod dl3020;
mod dl3025;
mod dl3042;
mod dl4000;
mod dl4006;
mod pip;

use crate::rule::Rule;

/// Every rule, by code.
pub const RULES: &[Rule] = &[
    dl3000::RULE,
    dl3002::RULE,
    dl3003::RULE,
    dl3006::RULE,
    dl3007::RULE,
    dl3008::RULE,
    dl3009::RULE,
    dl3013::RULE,
    dl3015::RULE,
    dl3018::RULE,
    dl3020::RULE,
    dl3025::RULE,
    dl3042::RULE,
    dl4000::RULE,
    dl4006::RULE,
];

/// The rule of that code.
pub fn rule(code: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.code == code)
}
