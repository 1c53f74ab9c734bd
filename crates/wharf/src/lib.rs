//! The command line: reads what was asked, composes the rooms, and is the only one to speak.

pub mod cli;
mod commands;
mod context;
pub mod helpers;
mod output;
