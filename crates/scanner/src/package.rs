//! Packages, as a catalogue finds them and an advisory names them.

use base::Finding;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Who numbers a package, with OSV's names (OSV schema 1.7, "Defined Ecosystems").
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ecosystem {
    /// Debian, with its release such as `12`; empty where it is not known.
    Debian(String),
    /// Ubuntu, with its release such as `24.04` (OSV adds `:LTS`, which is not kept).
    Ubuntu(String),
    /// Alpine, with its branch such as `v3.20`.
    Alpine(String),
    /// crates.io.
    Cargo,
    /// PyPI.
    PyPi,
    /// npm.
    Npm,
    /// Go modules; `stdlib` and `toolchain` are its own.
    Go,
}

impl Ecosystem {
    /// OSV's name, with the release where there is one: `Debian:12`, `crates.io`.
    pub fn osv(&self) -> String {
        let with = |name: &str, release: &str| if release.is_empty() { name.to_owned() } else { format!("{name}:{release}") };
        match self {
            Self::Debian(release) => with("Debian", release),
            Self::Ubuntu(release) => with("Ubuntu", release),
            Self::Alpine(release) => with("Alpine", release),
            Self::Cargo => "crates.io".to_owned(),
            Self::PyPi => "PyPI".to_owned(),
            Self::Npm => "npm".to_owned(),
            Self::Go => "Go".to_owned(),
        }
    }

    /// The ecosystem of OSV's name; none where Wharf does not know it.
    pub fn parse(osv: &str) -> Option<Self> {
        let (name, release) = osv.split_once(':').unwrap_or((osv, ""));
        Some(match name {
            "Debian" => Self::Debian(release.to_owned()),
            "Ubuntu" => Self::Ubuntu(release.trim_end_matches(":LTS").to_owned()),
            "Alpine" => Self::Alpine(release.to_owned()),
            "crates.io" => Self::Cargo,
            "PyPI" => Self::PyPi,
            "npm" => Self::Npm,
            "Go" => Self::Go,
            _ => return None,
        })
    }

    /// Whether a distribution stands for its packages: then only its own advisories count.
    pub const fn is_distribution(&self) -> bool {
        matches!(self, Self::Debian(_) | Self::Ubuntu(_) | Self::Alpine(_))
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.osv())
    }
}

impl Serialize for Ecosystem {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.osv())
    }
}

impl<'de> Deserialize<'de> for Ecosystem {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).ok_or_else(|| serde::de::Error::custom(format!("the ecosystem `{name}` is not known")))
    }
}

/// The source package that a distribution built a package from; its advisories name that one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// A package, once for each place where it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Package {
    /// Who numbers it.
    pub ecosystem: Ecosystem,
    /// Its name as the ecosystem compares it: PyPI's normalised (PEP 503), Go's the module path.
    pub name: String,
    /// Its version as written.
    pub version: String,
    /// What it was built from, where a distribution says so and it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Its architecture, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Its licences as written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub licenses: Vec<String>,
    /// The file that told of it, without a leading slash; a lock file, a database, a binary.
    pub file: String,
    /// Its line there, from 1, where that helps a reader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The layer that brought it: its DiffID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// Whether it serves development only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub development: bool,
    /// Whether the file belongs to a package of the distribution, which then answers for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub owned: bool,
}

/// The distribution of an image, from `os-release`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Os {
    /// `ID`, such as `debian`.
    pub id: String,
    /// `VERSION_ID`, such as `12`; empty where there is none.
    #[serde(default)]
    pub version: String,
    /// `PRETTY_NAME`.
    #[serde(default)]
    pub name: String,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// An image, by layers.
    Image,
    /// A folder of sources.
    Folder,
    /// A list of packages that somebody else made.
    Sbom,
}

/// What was looked at, by name and content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Its kind.
    pub kind: TargetKind,
    /// As the user named it.
    pub name: String,
    /// The image's id, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The image's layers from the bottom up, as DiffIDs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<String>,
}

/// Everything that was found in one target: the material of an SBOM and of a scan. Packages are sorted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// What was looked at.
    pub target: Target,
    /// Its distribution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<Os>,
    /// Its packages.
    pub packages: Vec<Package>,
    /// What could not be read and so may be missing, by file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Finding>,
}

impl Inventory {
    /// Whether looking again would find the same: reading what is there did not fail. What is there and cannot be understood stays so.
    pub fn is_lasting(&self) -> bool {
        !self.unread.iter().any(|told| told.rule == crate::tree::READ_FAILED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{failed, unread};
    use std::io::{Error, ErrorKind};

    #[test]
    fn errors_of_reading_may_pass_and_others_stay() {
        let with = |told: Finding| Inventory { unread: vec![told], ..crate::matching::tests::inventory(Vec::new()) }.is_lasting();
        // EIO, EMFILE.
        assert!([5, 24].into_iter().all(|number| !with(failed("x", &Error::from_raw_os_error(number)))));
        assert!(!with(failed("x", &ErrorKind::PermissionDenied.into())));
        assert!(with(failed("x", &ErrorKind::FileTooLarge.into())) && with(unread("Cargo.lock", "line 1: <<<<")));
    }
}
