//! The catalogues, one file each; [`CATALOGUES`] lists them. Each knows one kind of file that tells of packages.

pub mod apk;
pub mod cargo_auditable;
pub mod cargo_lock;
pub mod dpkg;
pub mod go_buildinfo;
pub mod go_mod;
pub mod npm_installed;
pub mod npm_lock;
pub mod pdm_lock;
pub mod pipfile_lock;
pub mod pnpm_lock;
pub mod poetry_lock;
pub mod python_installed;
mod python_lock;
pub mod requirements;
pub mod uv_lock;
pub mod yarn_lock;

use crate::read::Reading;
use crate::tree::Entry;

/// Where a catalogue looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In images: what is installed.
    Installed,
    /// In folders of sources: what is asked for.
    Sources,
}

/// One kind of file that tells of packages.
#[derive(Debug)]
pub struct Catalogue {
    /// Its name, such as `dpkg`.
    pub name: &'static str,
    /// Where it looks; a file that was named by itself is looked at by all.
    pub scope: Scope,
    /// Whether it wants to read a file.
    pub wants: fn(&Entry) -> bool,
    /// Reads it and adds what it tells of.
    pub read: fn(&mut Reading<'_>),
}

/// Every catalogue. The databases of distributions come first.
pub const CATALOGUES: &[Catalogue] = &[
    dpkg::CATALOGUE,
    apk::CATALOGUE,
    cargo_auditable::CATALOGUE,
    go_buildinfo::CATALOGUE,
    python_installed::CATALOGUE,
    npm_installed::CATALOGUE,
    cargo_lock::CATALOGUE,
    requirements::CATALOGUE,
    pipfile_lock::CATALOGUE,
    poetry_lock::CATALOGUE,
    uv_lock::CATALOGUE,
    pdm_lock::CATALOGUE,
    npm_lock::CATALOGUE,
    yarn_lock::CATALOGUE,
    pnpm_lock::CATALOGUE,
    go_mod::CATALOGUE,
];

/// Whether any catalogue reads a file of this name when it is named by itself.
pub fn is_known(name: &str) -> bool {
    let entry = Entry::named(name);
    CATALOGUES.iter().any(|catalogue| (catalogue.wants)(&entry))
}

/// What is wrong with a TOML text, with its line.
fn toml_error(text: &str, error: &toml::de::Error) -> String {
    let line = error.span().and_then(|span| crate::read::Lines::of(text).line(span.start));
    let message = error.message().trim();
    line.map_or_else(|| message.to_owned(), |line| format!("line {line}: {message}"))
}
