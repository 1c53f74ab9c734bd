//! Pages that people watch: runs by stage, releases and what allowed them, images and what is in them.
//!
//! Rendered here, whole; a small script puts in what changes. Everything that is shown is foreign text, and nothing is fetched
//! from anywhere else.

mod ansi;
mod assets;
mod attempts;
mod escape;
mod fields;
mod guard;
mod live;
mod pages;
mod respond;
mod route;
mod session;
mod source;
mod style;
mod text;
mod view;

pub use pages::{Options, Pages};
pub use session::same_secret;
pub use source::{
    Allowed, Approval, Change, Check, Download, Fate, Happened, Image, ImageBrief, Layer, LogPage, Release, ReleaseKey, Role, RunFilter,
    Source, SourceError, StageResult, User,
};
