//! The jobs example's app-b.
fn main() {}
