//! The pages in a real browser: what people see, press and read. Skipped by name where there is no Chromium.
#![allow(clippy::print_stdout)]

#[path = "browser/chromium.rs"]
mod chromium;
#[path = "browser/keyboard.rs"]
mod keyboard;
#[path = "browser/looks.rs"]
mod looks;
#[path = "browser/place.rs"]
mod place;
#[path = "browser/plain.rs"]
mod plain;
#[path = "../examples/demo/runs.rs"]
#[allow(dead_code)]
mod runs;
#[path = "browser/safety.rs"]
mod safety;
#[path = "browser/speed.rs"]
mod speed;
#[path = "../examples/demo/things.rs"]
#[allow(dead_code)]
mod things;
#[path = "../examples/demo/world.rs"]
#[allow(dead_code)]
mod world;
