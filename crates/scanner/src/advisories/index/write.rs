//! Building an index: texts once each, packages in the order of their names.

use super::{About, BLOCK, Head, IndexError, NAMESPACE};
use crate::advisories::{Advisory, Affected, End, Status};
use crate::severity::Rating;
use base::Timestamp;
use oci::signature::sign;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

/// An index of advisories, signed with a private key in OpenSSH's form: the bytes of its file, the same for the same arguments.
///
/// # Errors
/// When it cannot be signed, or would be too large.
pub fn build(
    advisories: &[Advisory],
    sources: Vec<String>,
    (created, fresh_for, sequence): (Timestamp, Duration, u64),
    key: &str,
) -> Result<Vec<u8>, IndexError> {
    let mut writer = Writer::default();
    let mut places = Vec::new();
    let mut packages: BTreeMap<(String, &str), Vec<(usize, &Affected)>> = BTreeMap::new();
    let mut ecosystems: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (number, advisory) in advisories.iter().enumerate() {
        places.push(short(writer.records.len())?);
        writer.advisory(advisory)?;
        for affected in &advisory.affected {
            let ecosystem = affected.ecosystem.osv();
            ecosystems.entry(ecosystem.clone()).or_default().insert(number);
            packages.entry((ecosystem, &affected.name)).or_default().push((number, affected));
        }
    }
    let count = short(packages.len())?;
    let mut table = Vec::new();
    for ((ecosystem, name), matches) in packages {
        table.push((writer.intern(&format!("{ecosystem}\0{name}"))?, short(writer.records.len())?));
        writer.packages(&matches)?;
    }
    let ecosystems = ecosystems.into_iter().map(|(name, found)| Ok((name, short(found.len())?))).collect::<Result<_, IndexError>>()?;
    let about = serde_json::to_string(&About { sources, ecosystems }).map_err(|error| IndexError::Damaged(error.to_string()))?;
    let about = writer.intern(&about)?;

    let mut body: Vec<u8> = table.iter().flat_map(|(key, place)| [key.to_le_bytes(), place.to_le_bytes()].concat()).collect();
    let mut parts = [0; 5];
    parts[1] = short(body.len())?;
    places.iter().for_each(|place| body.extend(place.to_le_bytes()));
    parts[2] = short(body.len())?;
    body.append(&mut writer.records);
    parts[3] = short(body.len())?;
    body.append(&mut writer.texts);
    parts[4] = about;
    let head =
        Head { created, fresh_until: created.plus(fresh_for), sequence, advisories: short(advisories.len())?, packages: count, parts };
    seal(&head, &body, key)
}

/// Puts head, digests, signature and body together.
///
/// # Errors
/// When it cannot be signed, or is too large.
pub fn seal(head: &Head, body: &[u8], key: &str) -> Result<Vec<u8>, IndexError> {
    short(body.len())?;
    let mut file = head.bytes(body.len());
    body.chunks(BLOCK).for_each(|block| file.extend(Sha256::digest(block)));
    let signature = sign(NAMESPACE, &file, key)?;
    file.extend(short(signature.len())?.to_le_bytes());
    file.extend(signature.as_bytes());
    file.extend(body);
    Ok(file)
}

fn short(value: usize) -> Result<u32, IndexError> {
    u32::try_from(value).map_err(|_| IndexError::TooLarge)
}

#[derive(Default)]
struct Writer {
    records: Vec<u8>,
    texts: Vec<u8>,
    known: HashMap<String, u32>,
}

impl Writer {
    /// The place of a text, which is written where it is new.
    fn intern(&mut self, text: &str) -> Result<u32, IndexError> {
        if let Some(place) = self.known.get(text) {
            return Ok(*place);
        }
        let place = short(self.texts.len())?;
        number(&mut self.texts, short(text.len())?);
        self.texts.extend(text.as_bytes());
        self.known.insert(text.to_owned(), place);
        Ok(place)
    }

    fn count(&mut self, count: usize) -> Result<(), IndexError> {
        number(&mut self.records, short(count)?);
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), IndexError> {
        let place = self.intern(text)?;
        number(&mut self.records, place);
        Ok(())
    }

    fn texts(&mut self, texts: &[String]) -> Result<(), IndexError> {
        self.count(texts.len())?;
        texts.iter().try_for_each(|text| self.text(text))
    }

    fn ratings(&mut self, ratings: &[Rating]) -> Result<(), IndexError> {
        self.count(ratings.len())?;
        ratings.iter().try_for_each(|rating| self.text(&rating.value).and_then(|()| self.text(&rating.source)))
    }

    fn advisory(&mut self, advisory: &Advisory) -> Result<(), IndexError> {
        self.text(&advisory.id)?;
        self.texts(&advisory.aliases)?;
        self.texts(&advisory.upstream)?;
        self.text(&advisory.summary)?;
        self.text(&advisory.published)?;
        self.ratings(&advisory.ratings)
    }

    fn packages(&mut self, matches: &[(usize, &Affected)]) -> Result<(), IndexError> {
        self.count(matches.len())?;
        for (advisory, affected) in matches {
            self.count(*advisory)?;
            let status = Status::ALL.iter().position(|status| *status == affected.status);
            self.records.push(u8::try_from(status.unwrap_or(1)).unwrap_or(1));
            self.count(affected.intervals.len())?;
            for interval in &affected.intervals {
                self.records.push(u8::from(interval.introduced.is_some()));
                interval.introduced.iter().try_for_each(|version| self.text(version))?;
                let (kind, version) = match &interval.end {
                    End::Open => (0, None),
                    End::Fixed(version) => (1, Some(version)),
                    End::Last(version) => (2, Some(version)),
                };
                self.records.push(kind);
                version.into_iter().try_for_each(|version| self.text(version))?;
            }
            self.texts(&affected.versions)?;
            self.ratings(&affected.ratings)?;
        }
        Ok(())
    }
}

fn number(to: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        to.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}
