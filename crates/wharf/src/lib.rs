//! The command line: reads what was asked, composes the rooms, and is the only one to speak.

mod attest;
pub mod cli;
mod command;
mod commands;
mod context;
mod engine_client;
pub mod helpers;
mod inputs;
mod interrupt;
mod kubeconfig;
mod lineage;
mod lint;
mod load;
pub mod notify;
mod output;
mod outside;
pub mod pages;
mod project;
mod registries;
mod registry;
mod sandbox;
mod session;
pub mod settings;
mod stages;
mod target;
mod urls;
mod workloads;
