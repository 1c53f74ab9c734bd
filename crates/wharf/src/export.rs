//! Pipelines of others with the same stages: Jenkins, GitLab and GitHub, one file each; [`EXPORTERS`] lists them.
//!
//! Each stage is the same `wharf` command that a person types, so that it says the same words and ends with the same code. What a
//! stage needs of those before it costs nothing where they ran on the same machine, and is made again where they did not.

mod github;
mod gitlab;
mod jenkins;
mod pattern;
mod pipeline;

pub use pipeline::{Pipeline, Wanted};

use ci::ProjectFolder;

/// One kind of server.
pub struct Exporter {
    /// What is typed.
    pub name: &'static str,
    /// Where its file usually is, from the project's folder.
    pub file: &'static str,
    /// Where it is for a project that is not at the top of its repository: from the top; how the server is told of it.
    pub beside: fn(&ProjectFolder) -> (String, String),
    /// Writes the file.
    pub write: fn(&Pipeline) -> String,
}

/// Every kind.
pub const EXPORTERS: &[Exporter] = &[jenkins::EXPORTER, gitlab::EXPORTER, github::EXPORTER];

/// The first lines of every file.
const HEAD: [&str; 2] =
    ["# Made by `wharf ci export`; make it again when wharf.yaml changes.", "# `wharf` and what its stages use must be on the runner."];

/// A word for a shell: as it is where that is safe, else in single quotes.
fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

/// Words as a line of a shell.
fn line(words: &[String]) -> String {
    words.iter().map(|word| shell(word)).collect::<Vec<_>>().join(" ")
}

/// What every checkout is asked: it has all of the history, for releases are named by their commit, and reports are no part of it.
fn prepared(pipeline: &Pipeline) -> String {
    let reports = pipeline::REPORTS;
    let whole = pipeline.at(reports);
    format!(
        "test \"$(git rev-parse --is-shallow-repository)\" = false && mkdir -p {reports} && echo {} >> \"$(git rev-parse --git-path info/exclude)\"",
        shell(&format!("/{whole}/"))
    )
}

/// Logs in at a registry, where user and password are given; else whoever the runner is counts.
fn login(host: &str) -> String {
    let host = shell(host);
    format!(
        "if [ -n \"$WHARF_REGISTRY_PASSWORD\" ]; then printf '%s' \"$WHARF_REGISTRY_PASSWORD\" | wharf login -u \"$WHARF_REGISTRY_USER\" --password-stdin {host}; fi"
    )
}

/// A scalar of YAML. JSON's strings are YAML's too.
fn yaml(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests;
