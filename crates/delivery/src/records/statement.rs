//! A release's record as it is kept beside its images: an in-toto statement (v1) over their digests. It holds no secrets.

use super::seal::Check;
use super::{Fate, Record};
use crate::inventory::Inventory;
use crate::ledger::{Entry, Ledger};
use base::{Problem, ProblemKind};
use oci::Digest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an in-toto statement says it is.
pub const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// What ours are about.
pub const PREDICATE: &str = "https://wharf.local/release/v1";
/// The media type of statements, and the artifact type under which they stand beside an image.
pub const MEDIA_TYPE: &str = "application/vnd.in-toto+json";
/// A longer one is not read.
pub const LARGEST: usize = 8 << 20;

/// An image that a statement is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Such as `registry.example.com/jobs/app-a`.
    pub name: String,
    /// By algorithm, in hex.
    pub digest: BTreeMap<String, String>,
}

/// The statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    /// The images.
    pub subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    /// What is said of them.
    pub predicate: Predicate,
}

/// The release, and what happened to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Predicate {
    /// The record, with HMACs for what its Secrets hold.
    pub record: Record,
    /// The entries of the ledger about it, each with the digest of the one before.
    pub entries: Vec<Entry>,
}

impl Statement {
    /// What is said of a release's images; `images` are names with the digests of their manifests.
    ///
    /// # Errors
    /// When the inventory has no key, with which what Secrets hold is hidden, or says something else than the record.
    pub fn of(record: &Record, inventory: &Inventory, images: &[(String, Digest)]) -> Result<Self, Problem> {
        let no_key = || Problem::new(ProblemKind::Target, format!("the record of release {} was written without a key", record.id));
        let key = inventory.key.as_ref().ok_or_else(no_key)?;
        // Entries of earlier versions have digests of all that the objects say, against which guesses at a Secret could be tried.
        let is_open = |entry: &&Entry| entry.detail.get("objects").is_none() && entry.detail.get("shown").is_none();
        let entries = inventory.ledger.entries().iter().filter(|entry| entry.release == record.id).filter(is_open).cloned().collect();
        let subject = images.iter().map(|(name, digest)| {
            let hex = [("sha256".to_owned(), digest.hex().to_owned())];
            Subject { name: name.clone(), digest: hex.into() }
        });
        let predicate = Predicate { record: record.redacted(key), entries };
        let made = Self { kind: STATEMENT.to_owned(), subject: subject.collect(), predicate_type: PREDICATE.to_owned(), predicate };
        made.verify()?;
        Ok(made)
    }

    /// Its bytes: the same for the same.
    ///
    /// # Errors
    /// Never but for a defect.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Problem> {
        oci::canonical::to_vec(self).map_err(|error| Problem::new(ProblemKind::Defect, error.to_string()))
    }

    /// Reads one and checks it: that it is about this image, and agrees with itself. Whoever may write to the registry can make one
    /// that does: only a ledger that is known says that it is true, see [`Statement::is_vouched_by`].
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(bytes: &[u8], image: &Digest) -> Result<Self, Problem> {
        let wrong = |why: String| Problem::new(ProblemKind::Target, format!("what stands beside the image {image} is no record: {why}"));
        if bytes.len() > LARGEST {
            return Err(wrong(format!("it is longer than {}", base::units::show_bytes(LARGEST as u64))));
        }
        let read: Self = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
        if read.kind != STATEMENT || read.predicate_type != PREDICATE {
            return Err(wrong(format!("it is a `{}` about `{}`", read.kind, read.predicate_type)));
        }
        if !read.subject.iter().any(|subject| subject.digest.get("sha256").is_some_and(|hex| *hex == image.hex())) {
            return Err(wrong("it is about other images".to_owned()));
        }
        read.verify()?;
        Ok(read)
    }

    /// Whether a ledger has all its entries, the newest of which seals the record.
    pub fn is_vouched_by(&self, ledger: &Ledger) -> bool {
        let known = |entry: &Entry| ledger.entries().iter().any(|own| own.digest == entry.digest);
        self.verify().is_ok() && self.predicate.entries.iter().all(known)
    }

    fn verify(&self) -> Result<(), Problem> {
        let Predicate { record, entries } = &self.predicate;
        let ledger = Ledger::of(entries.clone());
        ledger.verify_each()?;
        if !record.redacted || record.fate == Fate::Deploying || !entries.iter().any(|entry| entry.release == record.id) {
            return Err(Problem::new(ProblemKind::Target, format!("the record of release {} is not whole", record.id)));
        }
        match record.check(&ledger, None)? {
            Check::Intact { .. } => Ok(()),
            _ => Err(Problem::new(
                ProblemKind::Target,
                format!("the record of release {} is not the one that its entries are about", record.id),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::seal::tests::deployed;

    #[test]
    fn a_statement_comes_back_and_agrees_with_itself() {
        let (record, inventory) = deployed();
        let digest = Digest::of(b"manifest");
        let bytes = Statement::of(&record, &inventory, &[("h/p/a".to_owned(), digest)]).expect("made").to_bytes().expect("bytes");
        let read = Statement::read(&bytes, &digest).expect("read");
        assert_eq!((read.predicate.entries.len(), read.predicate.record.id.as_str()), (3, "r"));
        assert!(Statement::read(&bytes, &Digest::of(b"other")).expect_err("another's").message.contains("other images"));
        let text = String::from_utf8(bytes).expect("text");
        for (from, to) in [("DL3008", "DL3009"), ("smoke", "smoky"), ("in-toto.io/Statement/v1", "in-toto.io/Statement/v2")] {
            let edited = text.replace(from, to);
            assert_ne!(edited, text, "{from}");
            Statement::read(edited.as_bytes(), &digest).expect_err(from);
        }
        for wrong in ["", "{}", "[]"] {
            Statement::read(wrong.as_bytes(), &digest).expect_err(wrong);
        }
    }

    #[test]
    fn only_a_ledger_that_is_known_says_that_a_statement_is_true() {
        let (record, inventory) = deployed();
        let statement = Statement::of(&record, &inventory, &[]).expect("made");
        assert!(statement.is_vouched_by(&inventory.ledger));
        let mut later = inventory.ledger.clone();
        later.add(String::new(), crate::ledger::Event::Rejected, "r", serde_json::json!({"sealed": Digest::of(b"later")})).expect("added");
        assert!(statement.is_vouched_by(&later), "it was true when it was written");
        assert!(!statement.is_vouched_by(&Ledger::default()));
        // Whoever can push makes one that agrees with itself, newer and of the same name.
        let mut forged = Record { notes: serde_json::json!({"source": "evil"}), ..record };
        forged.created = "2027-01-01T00:00:00Z".to_owned();
        let mut own = Inventory { key: inventory.key.clone(), ..Inventory::default() };
        let detail = crate::records::seal::detail(&forged, &own.make_key()).expect("detail");
        own.ledger.add("2027-01-01T00:00:00Z".to_owned(), crate::ledger::Event::Deployed, "r", detail).expect("added");
        let forged = Statement::of(&forged, &own, &[]).expect("made");
        assert_eq!(forged.verify(), Ok(()));
        assert!(!forged.is_vouched_by(&inventory.ledger));
        let spliced = Predicate { record: forged.predicate.record, entries: statement.predicate.entries.clone() };
        assert!(!Statement { predicate: spliced, ..statement }.is_vouched_by(&inventory.ledger));
    }

    #[test]
    fn nothing_of_a_secret_is_in_it() {
        let (record, mut inventory) = deployed();
        let older = serde_json::json!({"objects": Digest::of(b"all of it"), "shown": Digest::of(b"the rest")});
        inventory.ledger.add(String::new(), crate::ledger::Event::Passed, "r", older).expect("added");
        let statement = Statement::of(&record, &inventory, &[]).expect("made").to_bytes().expect("bytes");
        let key = inventory.make_key();
        for text in [statement, serde_json::to_vec(&record.redacted(&key)).expect("JSON")] {
            let text = String::from_utf8(text).expect("text");
            assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg") && text.contains("(hidden)"), "{text}");
            assert!(!text.contains(&Digest::of(b"all of it").hex()), "a digest of an earlier version, which has no key");
            assert!(!text.contains(&String::from(key.clone())));
        }
    }
}
