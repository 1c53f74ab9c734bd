//! Whatever stands in a version: every order reads or refuses it, and says the same of a pair both ways round.
#![no_main]

use scanner::Ecosystem;
use scanner::versions::compare;
use std::cmp::Ordering;

libfuzzer_sys::fuzz_target!(|pair: (&str, &str)| {
    for name in ["Debian:12", "Ubuntu:24.04", "Alpine:v3.20", "crates.io", "PyPI", "npm", "Go"] {
        let ecosystem = Ecosystem::parse(name).expect("a known ecosystem");
        let (there, back) = (compare(&ecosystem, pair.0, pair.1), compare(&ecosystem, pair.1, pair.0));
        assert_eq!(there.as_ref().ok().copied(), back.ok().map(Ordering::reverse));
        if there.is_ok() {
            assert_eq!(compare(&ecosystem, pair.0, pair.0), Ok(Ordering::Equal));
        }
    }
});
