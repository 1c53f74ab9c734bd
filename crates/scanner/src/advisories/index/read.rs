//! Looking things up: binary search over the packages, then records of numbers that name texts. Every place is checked.

use super::{About, Index, IndexError};
use crate::Ecosystem;
use crate::advisories::{Advisory, Affected, End, Interval, Status};
use crate::severity::Rating;
use std::cmp::Ordering;

/// A package of an advisory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The advisory's number, for [`Index::advisory`].
    pub advisory: u32,
    /// What it says of the package.
    pub affected: Affected,
}

impl Index {
    /// Everything that is known against a package.
    ///
    /// # Errors
    /// When a part of the index is not what was signed.
    pub fn lookup(&self, ecosystem: &Ecosystem, name: &str) -> Result<Vec<Match>, IndexError> {
        let wanted = format!("{}\0{name}", ecosystem.osv());
        let (mut low, mut high) = (0, self.head().packages as usize);
        while low < high {
            let middle = low + (high - low) / 2;
            let mut record = self.cursor(self.head().parts[0], middle.saturating_mul(8))?;
            let (key, place) = (record.short()?, record.short()?);
            match self.text(key)?.as_bytes().cmp(wanted.as_bytes()) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return self.matches(ecosystem, name, place),
            }
        }
        Ok(Vec::new())
    }

    /// An advisory by its number, without what it is about.
    ///
    /// # Errors
    /// When a part of the index is not what was signed.
    pub fn advisory(&self, number: u32) -> Result<Advisory, IndexError> {
        if number >= self.head().advisories {
            return Err(IndexError::Damaged(format!("there is no advisory {number}")));
        }
        let place = self.cursor(self.head().parts[1], (number as usize).saturating_mul(4))?.short()?;
        let mut record = self.cursor(self.head().parts[2], place as usize)?;
        Ok(Advisory {
            id: record.text()?,
            aliases: record.texts()?,
            upstream: record.texts()?,
            summary: record.text()?,
            published: record.text()?,
            ratings: record.ratings()?,
            affected: Vec::new(),
        })
    }

    /// Where it came from.
    ///
    /// # Errors
    /// When a part of the index is not what was signed.
    pub fn about(&self) -> Result<About, IndexError> {
        let text = self.text(self.head().parts[4])?;
        serde_json::from_str(text).map_err(|error| IndexError::Damaged(format!("what it says about itself: {error}")))
    }

    fn matches(&self, ecosystem: &Ecosystem, name: &str, place: u32) -> Result<Vec<Match>, IndexError> {
        let mut record = self.cursor(self.head().parts[2], place as usize)?;
        let count = record.number()?;
        let mut found = Vec::new();
        for _ in 0..count {
            found.push(record.package(ecosystem, name)?);
        }
        Ok(found)
    }

    fn text(&self, place: u32) -> Result<&str, IndexError> {
        let mut cursor = self.cursor(self.head().parts[3], place as usize)?;
        let length = cursor.number()? as usize;
        let bytes = self.part(cursor.at, length)?;
        std::str::from_utf8(bytes).map_err(|_| IndexError::Damaged("a text is not UTF-8".to_owned()))
    }

    fn cursor(&self, part: u32, at: usize) -> Result<Cursor<'_>, IndexError> {
        let at = (part as usize).checked_add(at).ok_or_else(|| IndexError::Damaged("a place is out of bounds".to_owned()))?;
        Ok(Cursor { index: self, at })
    }
}

/// Reads one record from front to back.
struct Cursor<'i> {
    index: &'i Index,
    at: usize,
}

impl Cursor<'_> {
    fn byte(&mut self) -> Result<u8, IndexError> {
        let byte = self.index.part(self.at, 1)?.first().copied().unwrap_or_default();
        self.at += 1;
        Ok(byte)
    }

    /// Four bytes.
    fn short(&mut self) -> Result<u32, IndexError> {
        let bytes = self.index.part(self.at, 4)?;
        self.at += 4;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte)))
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more follow.
    fn number(&mut self) -> Result<u32, IndexError> {
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(IndexError::Damaged("a number is too long".to_owned()))
    }

    fn text(&mut self) -> Result<String, IndexError> {
        let place = self.number()?;
        Ok(self.index.text(place)?.to_owned())
    }

    fn texts(&mut self) -> Result<Vec<String>, IndexError> {
        (0..self.number()?).map(|_| self.text()).collect()
    }

    fn ratings(&mut self) -> Result<Vec<Rating>, IndexError> {
        (0..self.number()?).map(|_| Ok(Rating { value: self.text()?, source: self.text()? })).collect()
    }

    fn package(&mut self, ecosystem: &Ecosystem, name: &str) -> Result<Match, IndexError> {
        let advisory = self.number()?;
        let status = self.byte()?;
        let status =
            Status::ALL.get(usize::from(status)).copied().ok_or_else(|| IndexError::Damaged(format!("there is no status {status}")))?;
        let intervals = (0..self.number()?).map(|_| self.interval()).collect::<Result<_, _>>()?;
        let (versions, ratings) = (self.texts()?, self.ratings()?);
        Ok(Match {
            advisory,
            affected: Affected { ecosystem: ecosystem.clone(), name: name.to_owned(), intervals, versions, status, ratings },
        })
    }

    fn interval(&mut self) -> Result<Interval, IndexError> {
        let introduced = match self.byte()? {
            0 => None,
            _ => Some(self.text()?),
        };
        let end = match self.byte()? {
            0 => End::Open,
            1 => End::Fixed(self.text()?),
            2 => End::Last(self.text()?),
            other => return Err(IndexError::Damaged(format!("there is no end {other}"))),
        };
        Ok(Interval { introduced, end })
    }
}
