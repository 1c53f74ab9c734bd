//! The program as people use it, with a real engine in a network namespace of its own: brought up, loaded, killed, broken, removed.

#[path = "main/bad_days.rs"]
mod bad_days;
#[path = "main/between.rs"]
mod between;
#[path = "main/causes.rs"]
mod causes;
#[path = "main/delivering.rs"]
mod delivering;
#[path = "main/elsewhere.rs"]
mod elsewhere;
#[path = "main/engine.rs"]
mod engine;
#[path = "main/health.rs"]
mod health;
#[path = "main/held.rs"]
mod held;
#[path = "main/interrupts.rs"]
mod interrupts;
#[path = "main/killed.rs"]
mod killed;
#[path = "main/leaks.rs"]
mod leaks;
#[path = "main/loads.rs"]
mod loads;
#[path = "main/place.rs"]
mod place;
#[path = "main/pulling.rs"]
mod pulling;
#[path = "main/secrets.rs"]
mod secrets;
#[path = "main/watching.rs"]
mod watching;
#[path = "main/why.rs"]
mod why;
