//! Requests as they come: who is let in, what is answered, and what every answer says to a browser.

#[path = "http/asked.rs"]
mod asked;
#[path = "http/entry.rs"]
mod entry;
#[path = "http/pages.rs"]
mod pages;
#[path = "../examples/demo/runs.rs"]
#[allow(dead_code)]
mod runs;
#[path = "http/streams.rs"]
mod streams;
#[path = "../examples/demo/things.rs"]
#[allow(dead_code)]
mod things;
#[path = "../examples/demo/world.rs"]
#[allow(dead_code)]
mod world;
