//! How bad a vulnerability is, and who says so.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How bad, least first. What nobody weighed is [`Level::Unknown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nobody said.
    Unknown,
    /// A score below 4, or told for information only.
    Low,
    /// A score from 4.
    Medium,
    /// A score from 7.
    High,
    /// A score from 9.
    Critical,
}

impl Level {
    /// Every level, worst first.
    pub const ALL: [Self; 5] = [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Unknown];

    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The level of a lower-case name; none for `unknown`, which nobody asks for.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name && *level != Self::Unknown)
    }

    /// Whether it is as bad as `least`. What nobody weighed counts as high: it is not let through for want of a number.
    pub fn reaches(self, least: Self) -> bool {
        if self == Self::Unknown { Self::High >= least } else { self >= least }
    }

    /// CVSS's qualitative scale (v3.1 section 5, v4.0 section 6), from tenths; what scores 0 is low.
    const fn of_tenths(tenths: u8) -> Self {
        match tenths {
            90.. => Self::Critical,
            70.. => Self::High,
            40.. => Self::Medium,
            _ => Self::Low,
        }
    }

    /// The words that vendors use.
    fn of_word(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "critical" => Self::Critical,
            "high" | "important" => Self::High,
            "medium" | "moderate" => Self::Medium,
            "low" | "negligible" | "minor" | "unimportant" | "none" | "informational" => Self::Low,
            _ => return None,
        })
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One opinion on how bad something is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rating {
    /// A CVSS vector, or a vendor's word.
    pub value: String,
    /// Who says so.
    pub source: String,
}

impl Rating {
    /// Whether it is a CVSS vector that comes to a score.
    pub(crate) fn is_score(&self) -> bool {
        tenths(&self.value).is_some()
    }

    /// Whether it is a word that says how bad.
    pub(crate) fn is_word(&self) -> bool {
        Level::of_word(&self.value).is_some()
    }
}

/// How bad, and who says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Severity {
    /// The level.
    pub level: Level,
    /// The CVSS score, where it comes from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The CVSS vector, where it comes from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<String>,
    /// Who says so; empty where nobody does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
}

impl Severity {
    /// What nobody weighed.
    pub const fn unknown() -> Self {
        Self { level: Level::Unknown, score: None, vector: None, source: String::new() }
    }

    /// What opinions come to. A distribution knows its own builds best, so its word stands before all; then the worst CVSS score, then the
    /// worst word.
    pub fn of<'a>(ratings: impl Iterator<Item = &'a Rating> + Clone, vendor_first: bool) -> Self {
        let words = ratings.clone().filter_map(|rating| Some((Level::of_word(&rating.value)?, rating)));
        let word = words.max_by_key(|(level, _)| *level).map(|(level, rating)| Self {
            level,
            score: None,
            vector: None,
            source: rating.source.clone(),
        });
        if vendor_first && let Some(word) = word {
            return word;
        }
        let scored = ratings.filter_map(|rating| Some((tenths(&rating.value)?, rating)));
        let scored = scored.max_by_key(|(tenths, _)| *tenths).map(|(tenths, rating)| Self {
            level: Level::of_tenths(tenths),
            score: Some(f64::from(tenths) / 10.0),
            vector: Some(rating.value.clone()),
            source: rating.source.clone(),
        });
        scored.or(word).unwrap_or_else(Self::unknown)
    }
}

/// A vector's score in tenths; none for what is no vector.
fn tenths(vector: &str) -> Option<u8> {
    const LONGEST: usize = 400;
    if !vector.starts_with("CVSS:") || vector.len() > LONGEST {
        return None;
    }
    let score = vector.parse::<cvss::Cvss>().ok()?.score();
    // A score is between 0 and 10 with one decimal.
    Some((score.clamp(0.0, 10.0) * 10.0).round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rating(value: &str, source: &str) -> Rating {
        Rating { value: value.to_owned(), source: source.to_owned() }
    }

    #[test]
    fn scores_are_those_of_the_specifications() {
        // CVSS v3.1 and v4.0 examples: CVE-2020-26235, CVE-2026-25727, a worst case, and one without effect.
        let rows = [
            ("CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", 62, Level::Medium),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 98, Level::Critical),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", 75, Level::High),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 100, Level::Critical),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", 0, Level::Low),
        ];
        for (vector, expected, level) in rows {
            assert_eq!(tenths(vector), Some(expected), "{vector}");
            assert_eq!(Severity::of([rating(vector, "x")].iter(), false).level, level);
        }
        assert_eq!(tenths("CVSS:3.1/nonsense"), None);
        assert_eq!(tenths("high"), None);
    }

    #[test]
    fn a_distribution_s_word_stands_first_and_every_severity_has_its_source() {
        let both = [rating("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "NVD"), rating("low", "Debian")];
        let vendor = Severity::of(both.iter(), true);
        assert_eq!((vendor.level, vendor.source.as_str(), vendor.score), (Level::Low, "Debian", None));
        let score = Severity::of(both.iter(), false);
        assert_eq!((score.level, score.source.as_str(), score.score), (Level::Critical, "NVD", Some(9.8)));
        let nobody = [rating("not yet assigned", "Debian")];
        assert_eq!(Severity::of(nobody.iter(), true), Severity::unknown());
    }

    #[test]
    fn what_nobody_weighed_counts_as_high() {
        assert!(Level::Unknown.reaches(Level::High) && Level::Unknown.reaches(Level::Low));
        assert!(!Level::Unknown.reaches(Level::Critical) && !Level::Low.reaches(Level::Medium));
        assert_eq!(Level::parse("unknown"), None);
    }
}
