//! Images: their layers, their packages, what is known against them.

use base::{Finding, Timestamp};
use scanner::Package;
use scanner::matching::Vulnerability;

/// An image in the list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageBrief {
    /// Its id: `sha256:` and 64 hex digits.
    pub id: String,
    /// Its names.
    pub names: Vec<String>,
    /// All layers together, in bytes as they are unpacked.
    pub bytes: u64,
    /// When it was built here.
    pub created: Option<Timestamp>,
}

/// One layer, from the bottom up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its DiffID.
    pub id: String,
    /// Bytes as it is unpacked.
    pub bytes: u64,
    /// The instruction that made it, as the image's history has it; empty where that has none.
    pub instruction: String,
}

/// An image and what is in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// Its id and names.
    pub brief: ImageBrief,
    /// Its distribution, such as `Debian GNU/Linux 12 (bookworm)`.
    pub os: Option<String>,
    /// `linux/amd64`.
    pub platform: String,
    /// Instructions of its history that made no layer, such as `ENV`, in their order.
    pub settings: Vec<String>,
    /// Its layers.
    pub layers: Vec<Layer>,
    /// Its packages, each with the layer that brought it; none before it was scanned.
    pub packages: Vec<Package>,
    /// What is known against these now, the worst first.
    pub known: Vec<Vulnerability>,
    /// What could not be judged, and why.
    pub unjudged: Vec<Finding>,
    /// By which advisories it was judged, or why by none, in words; nothing where it was never scanned.
    pub scanned: Option<String>,
}
