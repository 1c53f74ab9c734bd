//! The command line: reads what was asked, composes the rooms, and is the only one to speak.

pub mod cli;
mod commands;
mod context;
mod engine_client;
pub mod helpers;
mod kubeconfig;
mod lint;
mod output;
mod session;
pub mod settings;
mod target;
mod workloads;
