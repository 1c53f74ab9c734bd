//! What happened to a project's releases, entry after entry, each with the digest of the one before: a byte that is changed
//! later is found.

mod brief;

pub(crate) use brief::shortened;

use base::{Problem, ProblemKind};
use k8s::Value;
use oci::Digest;
use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// A release is about to be applied.
    Begun,
    /// A release was deployed and serves.
    Deployed,
    /// A release was applied and did not serve.
    Failed,
    /// The release before serves again.
    PutBack,
    /// A release that serves was tried, and is good.
    Passed,
    /// A release that serves was tried, and is no good.
    Rejected,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// From 1, without gaps.
    pub number: u64,
    /// When, RFC 3339.
    pub at: String,
    /// What.
    pub event: Event,
    /// To which release.
    pub release: String,
    /// What is known of it: commit, images, findings, plan, approver, results.
    pub detail: Value,
    /// The digest of the entry before; none in the first.
    pub previous: Option<Digest>,
    /// The SHA-256 of all of this, as canonical JSON without this member.
    pub digest: Digest,
}

/// The newest entries of a project, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ledger(Vec<Entry>);

/// The digest of a value.
pub(crate) fn digest_of(notes: &Value) -> Result<Digest, Problem> {
    let defect = |error: serde_json::Error| Problem::new(ProblemKind::Defect, error.to_string());
    Ok(Digest::of(&oci::canonical::to_vec(notes).map_err(defect)?))
}

/// All entries together are at most this many bytes as JSON.
const LARGEST: usize = 256 * 1024;

impl Entry {
    fn sealed(mut self) -> Result<Self, Problem> {
        self.digest = self.computed()?;
        Ok(self)
    }

    /// Whether it is as it was written.
    ///
    /// # Errors
    /// Names it when it is not.
    pub fn verify(&self) -> Result<(), Problem> {
        if self.computed()? == self.digest { Ok(()) } else { Err(wrong(self, "is not as it was written")) }
    }

    fn computed(&self) -> Result<Digest, Problem> {
        let defect = |error: serde_json::Error| Problem::new(ProblemKind::Defect, error.to_string());
        let mut value = serde_json::to_value(self).map_err(defect)?;
        if let Some(members) = value.as_object_mut() {
            members.remove("digest");
        }
        Ok(Digest::of(&oci::canonical::to_vec(&value).map_err(defect)?))
    }
}

fn wrong(entry: &Entry, why: &str) -> Problem {
    let message = format!("entry {} of the ledger ({}, release {}) {why}", entry.number, entry.at, entry.release);
    Problem::new(ProblemKind::Target, message).hint("somebody changed the ledger after it was written")
}

impl Ledger {
    /// The entries, the oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// From entries as they were read.
    pub fn of(entries: Vec<Entry>) -> Self {
        Self(entries)
    }

    /// By what a release was found good since it serves; nothing where it was never tried, or found to be no good.
    pub fn passed(&self, release: &str) -> Vec<String> {
        let since = self.0.iter().rev().take_while(|entry| entry.event == Event::Passed && entry.release == release);
        since.map(|entry| entry.detail["by"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Whether a release served when it was deployed last, and was not found to be no good since; a deploy that began counts for nothing.
    pub fn served(&self, release: &str) -> bool {
        let last = self.0.iter().rev().find(|entry| entry.release == release && entry.event != Event::Begun);
        last.is_some_and(|entry| matches!(entry.event, Event::Deployed | Event::Passed | Event::PutBack))
    }

    /// Whether another copy of the same ledger says something else of the same number: one of both was begun anew, or written anew.
    pub fn contradicts(&self, other: &Self) -> bool {
        let differs = |own: &Entry| other.0.iter().any(|entry| entry.number == own.number && entry.digest != own.digest);
        self.0.iter().any(differs)
    }

    /// Adds an entry with what of `detail` fits into one; the oldest go where all are too much.
    ///
    /// # Errors
    /// Never but for a defect.
    pub fn add(&mut self, at: String, event: Event, release: &str, detail: Value) -> Result<&Entry, Problem> {
        let last = self.0.last();
        let entry = Entry {
            number: last.map_or(1, |last| last.number.saturating_add(1)),
            at,
            event,
            release: release.to_owned(),
            detail: brief::brief(detail),
            previous: last.map(|last| last.digest),
            digest: Digest::of(b""),
        };
        self.0.push(entry.sealed()?);
        self.shrink(LARGEST);
        self.0.last().ok_or_else(|| Problem::new(ProblemKind::Defect, "the ledger lost an entry"))
    }

    /// Lets the oldest entries go until the others are at most so many bytes; the newest stays.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let mut left = bytes;
        let fits = |entry: &&Entry| {
            let size = serde_json::to_vec(entry).map_or(usize::MAX, |text| text.len().saturating_add(1));
            left.checked_sub(size).inspect(|rest| left = *rest).is_some()
        };
        let kept = self.0.iter().rev().take_while(fits).count().max(1);
        let surplus = self.0.len().saturating_sub(kept);
        self.0.drain(..surplus);
    }

    /// Whether every entry is as it was written, wherever it stood.
    ///
    /// # Errors
    /// Names the first that is not.
    pub fn verify_each(&self) -> Result<(), Problem> {
        self.0.iter().try_for_each(Entry::verify)
    }

    /// Whether every entry is as it was written, and follows from the one before.
    ///
    /// # Errors
    /// Names the first that is not.
    pub fn verify(&self) -> Result<(), Problem> {
        self.verify_each()?;
        for pair in self.0.windows(2) {
            if let [before, after] = pair
                && (after.previous != Some(before.digest) || after.number != before.number.saturating_add(1))
            {
                return Err(wrong(after, "does not follow from the entry before"));
            }
        }
        match self.0.first() {
            Some(first) if first.number == 1 && first.previous.is_some() => Err(wrong(first, "does not begin the ledger")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ledger(entries: usize) -> Ledger {
        let mut ledger = Ledger::default();
        for number in 0..entries {
            ledger.add(format!("2026-01-01T00:00:{number:02}Z"), Event::Deployed, "r", json!({"commit": number})).expect("added");
        }
        ledger
    }

    #[test]
    fn what_a_release_passed_counts_from_its_last_deploy() {
        let mut ledger = ledger(1);
        let mut add = |event, release: &str, by: &str| {
            ledger.add(String::new(), event, release, json!({"by": by})).expect("added");
            (ledger.passed("r"), ledger.passed("s"))
        };
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        assert_eq!(add(Event::Passed, "r", "smoke"), (words(&["smoke"]), words(&[])));
        assert_eq!(add(Event::Passed, "r", "load"), (words(&["load", "smoke"]), words(&[])));
        assert_eq!(add(Event::Deployed, "s", ""), (words(&[]), words(&[])));
        assert_eq!(add(Event::Passed, "s", "smoke"), (words(&[]), words(&["smoke"])));
        assert_eq!(add(Event::Rejected, "s", "load"), (words(&[]), words(&[])));
        ledger.add(String::new(), Event::Begun, "r", json!({})).expect("added");
        assert!(ledger.served("r") && !ledger.served("s") && !ledger.served("t"));
    }

    #[test]
    fn any_changed_byte_is_found() {
        let text = serde_json::to_string(&ledger(3)).expect("json");
        let whole: Ledger = serde_json::from_str(&text).expect("read");
        assert_eq!(whole.verify(), Ok(()));
        let mut found = 0;
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
            // What cannot be read any more, or reads as the same, needs no check.
            let Ok(changed) = serde_json::from_slice::<Ledger>(&bytes) else { continue };
            if changed != whole {
                assert!(changed.verify().is_err(), "{}", String::from_utf8_lossy(&bytes));
                found += 1;
            }
        }
        assert!(found > 100, "{found}");
    }

    #[test]
    fn a_ledger_that_was_written_anew_contradicts_a_copy_and_a_longer_one_does_not() {
        let (short, long) = (ledger(2), ledger(4));
        assert!(!short.contradicts(&long) && !long.contradicts(&short) && !short.contradicts(&Ledger::default()));
        let mut anew = Ledger::default();
        anew.add("2026-01-01T00:00:00Z".to_owned(), Event::Deployed, "r", json!({"commit": "evil"})).expect("added");
        assert!(anew.verify().is_ok() && anew.contradicts(&long) && long.contradicts(&anew));
    }

    #[test]
    fn entries_that_are_taken_out_or_swapped_are_found() {
        let whole = ledger(4);
        for wrong in [vec![0, 2, 3], vec![0, 2, 1, 3], vec![0, 1, 1, 2]] {
            let entries = wrong.iter().map(|at| whole.entries()[*at].clone()).collect();
            assert!(Ledger::of(entries).verify().is_err(), "{wrong:?}");
        }
        // The oldest may be gone: only so many are kept.
        assert_eq!(Ledger::of(whole.entries()[1..].to_vec()).verify(), Ok(()));
    }

    #[test]
    fn the_ledger_has_a_bound_in_bytes() {
        let mut long = Ledger::default();
        let lines = vec!["x".repeat(16 * 1024); 20];
        for number in 0..300 {
            let cause = json!({"workload": "Deployment p/web", "message": "it ended", "evidence": lines});
            let detail = json!({"sealed": digest_of(&json!(number)).expect("digest"), "cause": cause});
            long.add("2026-01-01T00:00:00Z".to_owned(), Event::Failed, "r", detail).expect("added");
            if number % 40 == 39 || number > 297 {
                let size = serde_json::to_string(&long).expect("JSON").len();
                assert!(size <= LARGEST && long.verify() == Ok(()), "{size}");
            }
        }
        let newest = long.entries().last().expect("an entry");
        assert_eq!((newest.number, newest.detail["cause"]["message"].as_str()), (300, Some("it ended")));
        assert!(long.entries().len() >= 60, "{}", long.entries().len());
        // A ledger of an earlier version may have anything.
        long.0[3].detail = json!("y".repeat(2 * LARGEST));
        long.shrink(LARGEST);
        assert!(long.entries().len() > 1 && serde_json::to_string(&long).expect("JSON").len() <= LARGEST && long.verify() == Ok(()));
        long.shrink(0);
        assert_eq!(long.entries().len(), 1);
    }
}
