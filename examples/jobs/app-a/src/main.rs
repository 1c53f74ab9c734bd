//! The jobs example's app-a.
fn main() {}
