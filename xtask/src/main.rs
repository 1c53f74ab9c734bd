//! Generators, tidy checks, benchmarks.
fn main() {}
