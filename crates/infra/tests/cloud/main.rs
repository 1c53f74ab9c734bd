//! The whole way from a template to a stack and back, against a fake that walks the states that the documentation names.

mod fake;
mod faults;
mod paths;
mod place;
mod signing;
mod sigv4;
