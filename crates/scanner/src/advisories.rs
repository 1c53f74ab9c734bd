//! What is known against packages: advisories read from their databases, and the index that they are looked up in.

pub mod index;
mod osv;
mod rustsec;
mod secdb;
pub mod sources;
mod tracker;
pub mod trust;
mod weights;
mod zip;

use crate::Ecosystem;
use crate::severity::Rating;
use crate::versions::{self, Unordered};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// An advisory as its database has it, without its prose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advisory {
    /// Its id, such as `RUSTSEC-2020-0071`.
    pub id: String,
    /// Ids of the same vulnerability elsewhere.
    pub aliases: Vec<String>,
    /// Ids of what it carries on, where it stands for several (a distribution's notice).
    pub upstream: Vec<String>,
    /// One line.
    pub summary: String,
    /// When it was published, as its database writes it; empty where it does not.
    pub published: String,
    /// How bad, in the opinions that it has.
    pub ratings: Vec<Rating>,
    /// What it is about.
    pub affected: Vec<Affected>,
}

/// A package that an advisory is about, and which of its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affected {
    /// Who numbers it.
    pub ecosystem: Ecosystem,
    /// Its name; of a distribution the source package's.
    pub name: String,
    /// The versions by their order.
    pub intervals: Vec<Interval>,
    /// Versions by name that no interval has.
    pub versions: Vec<String>,
    /// What is done about it, where nothing is fixed.
    pub status: Status,
    /// How bad it is in this package, where that is said apart.
    pub ratings: Vec<Rating>,
}

/// Versions in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interval {
    /// The first that is affected; none for all from the beginning.
    pub introduced: Option<String>,
    /// Where it ends.
    pub end: End,
}

/// Where versions in a row end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It does not: every later version is affected too.
    Open,
    /// Before this version, which mends it.
    Fixed(String),
    /// With this version; no version is known that mends it.
    Last(String),
}

/// What is done about a vulnerability in a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A version mends it.
    Fixed,
    /// None does yet.
    Affected,
    /// The vendor is still looking.
    UnderInvestigation,
    /// The vendor mends it later.
    FixDeferred,
    /// The vendor does not mend it.
    WillNotFix,
    /// The vendor mends nothing of this package any more.
    EndOfLife,
}

impl Status {
    /// Every status, in the order of their numbers in the index.
    pub const ALL: [Self; 6] =
        [Self::Fixed, Self::Affected, Self::UnderInvestigation, Self::FixDeferred, Self::WillNotFix, Self::EndOfLife];

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Affected => "no fix yet",
            Self::UnderInvestigation => "under investigation",
            Self::FixDeferred => "fix deferred",
            Self::WillNotFix => "will not be fixed",
            Self::EndOfLife => "end of life",
        }
    }
}

impl Interval {
    /// Whether a version is one of these.
    ///
    /// # Errors
    /// The version that the ecosystem's rules do not read.
    pub fn holds(&self, ecosystem: &Ecosystem, version: &str) -> Result<bool, Unordered> {
        if let Some(first) = &self.introduced
            && versions::compare(ecosystem, version, first)? == Ordering::Less
        {
            return Ok(false);
        }
        match &self.end {
            End::Open => versions::compare(ecosystem, version, version).map(|_| true),
            End::Fixed(fixed) => Ok(versions::compare(ecosystem, version, fixed)? == Ordering::Less),
            End::Last(last) => Ok(versions::compare(ecosystem, version, last)? != Ordering::Greater),
        }
    }
}

impl Affected {
    /// The version that mends it for who has `version`, or that there is none; nothing where `version` is not affected.
    ///
    /// # Errors
    /// The version that the ecosystem's rules do not read, where it stands in no list by name either.
    pub fn hits(&self, version: &str) -> Result<Option<Hit<'_>>, Unordered> {
        let mut unread = None;
        for interval in &self.intervals {
            match interval.holds(&self.ecosystem, version) {
                Ok(true) => {
                    let fixed = if let End::Fixed(fixed) = &interval.end { Some(fixed.as_str()) } else { None };
                    return Ok(Some(Hit { fixed }));
                }
                Ok(false) => {}
                Err(error) => unread = Some(error),
            }
        }
        if self.versions.iter().any(|named| same(&self.ecosystem, named, version)) {
            return Ok(Some(Hit { fixed: self.later_fix(version) }));
        }
        unread.map_or(Ok(None), Err)
    }

    /// Of a version that stands in a list by name: the first fix behind it.
    fn later_fix(&self, version: &str) -> Option<&str> {
        let mut fixes: Vec<&str> = self
            .intervals
            .iter()
            .filter_map(|interval| if let End::Fixed(fixed) = &interval.end { Some(fixed.as_str()) } else { None })
            .collect();
        fixes.retain(|fixed| versions::compare(&self.ecosystem, version, fixed) == Ok(Ordering::Less));
        fixes.into_iter().min_by(|a, b| versions::compare(&self.ecosystem, a, b).unwrap_or(Ordering::Equal))
    }
}

/// That a version is affected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit<'a> {
    /// The version that mends it.
    pub fixed: Option<&'a str>,
}

fn same(ecosystem: &Ecosystem, left: &str, right: &str) -> bool {
    left == right || versions::compare(ecosystem, left, right) == Ok(Ordering::Equal)
}
