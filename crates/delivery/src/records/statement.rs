//! A release's record as it is kept beside its images: an in-toto statement (v1) over their digests. It holds no secrets.

use super::{Fate, Record};
use crate::ledger::{Entry, Ledger};
use base::{Problem, ProblemKind};
use k8s::{Fields, Value};
use oci::Digest;
use serde::{Deserialize, Serialize};
use serde_json::json;
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
    /// The record, with digests for what its Secrets hold.
    pub record: Record,
    /// The entries of the ledger about it, each with the digest of the one before.
    pub entries: Vec<Entry>,
}

impl Record {
    /// The same with digests for what its Secrets hold: nothing in it need be kept from anybody.
    ///
    /// # Errors
    /// Never but for a defect.
    pub fn redacted(&self) -> Result<Self, Problem> {
        let objects = self.objects.iter().map(redacted).collect::<Result<_, Problem>>()?;
        Ok(Self { objects, redacted: true, ..self.clone() })
    }
}

/// An object with one digest for all that a Secret holds; single values could be guessed by theirs.
pub(crate) fn redacted(object: &Value) -> Result<Value, Problem> {
    let mut object = object.clone();
    if object.text("kind") != "Secret" {
        return Ok(object);
    }
    let held = json!({"data": object.at("data"), "stringData": object.at("stringData")});
    let bytes = oci::canonical::to_vec(&held).map_err(|error| Problem::new(ProblemKind::Defect, error.to_string()))?;
    object.unset("stringData");
    object.set("data", json!({"(hidden)": Digest::of(&bytes)}));
    // What kubectl applied last is all of it again.
    if let Some(annotations) = object.at_mut("metadata.annotations").as_object_mut() {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    if object.at("metadata.annotations").is_none_or(|annotations| annotations.as_object().is_none_or(serde_json::Map::is_empty)) {
        object.unset("metadata.annotations");
    }
    Ok(object)
}

impl Statement {
    /// What is said of a release's images; `images` are names with the digests of their manifests.
    ///
    /// # Errors
    /// Never but for a defect.
    pub fn of(record: &Record, ledger: &Ledger, images: &[(String, Digest)]) -> Result<Self, Problem> {
        let entries = ledger.entries().iter().filter(|entry| entry.release == record.id).cloned().collect();
        let subject = images.iter().map(|(name, digest)| {
            let hex = [("sha256".to_owned(), digest.hex().to_owned())];
            Subject { name: name.clone(), digest: hex.into() }
        });
        let predicate = Predicate { record: record.redacted()?, entries };
        Ok(Self { kind: STATEMENT.to_owned(), subject: subject.collect(), predicate_type: PREDICATE.to_owned(), predicate })
    }

    /// Its bytes: the same for the same.
    ///
    /// # Errors
    /// Never but for a defect.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Problem> {
        oci::canonical::to_vec(self).map_err(|error| Problem::new(ProblemKind::Defect, error.to_string()))
    }

    /// Reads one and checks it: that it is about this image, and as it was written.
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

    fn verify(&self) -> Result<(), Problem> {
        let Predicate { record, entries } = &self.predicate;
        let ledger = Ledger::of(entries.clone());
        ledger.verify_each()?;
        if !record.redacted || record.fate == Fate::Deploying || !entries.iter().any(|entry| entry.release == record.id) {
            return Err(Problem::new(ProblemKind::Target, format!("the record of release {} is not whole", record.id)));
        }
        record.verify(&ledger)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Event;
    use crate::manifests::{Intent, Release};
    use base::Place;

    fn record() -> (Record, Ledger) {
        let secret = json!({"kind": "Secret", "metadata": {"name": "s", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hunter2"}},
            "data": {"password": "aHVudGVyMg=="}, "stringData": {"other": "hunter2"}});
        let objects = [secret, json!({"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}})];
        let intents = objects.into_iter().map(|object| Intent { object, place: Place::default() }).collect();
        let release = Release { id: "r".to_owned(), project: "p".to_owned(), namespace: "p".to_owned(), intents, notes: Vec::new() };
        let notes = json!({"source": "c", "stages": {"lint": {"detail": {"findings": [{"rule": "DL3008"}]}}}});
        let mut record = Record::new(&release, "2026-01-01T00:00:00Z".to_owned(), None, notes.clone());
        record.fate = Fate::Deployed;
        let mut ledger = Ledger::default();
        let at = |second: u32| format!("2026-01-01T00:00:{second:02}Z");
        ledger.add(at(0), Event::Deployed, "before", json!({})).expect("added");
        ledger.add(at(1), Event::Deployed, "r", crate::ledger::detail(&release, &notes).expect("detail")).expect("added");
        ledger.add(at(2), Event::Passed, "r", json!({"by": "smoke"})).expect("added");
        (record, ledger)
    }

    #[test]
    fn a_statement_comes_back_and_any_other_byte_is_found() {
        let (record, ledger) = record();
        let digest = Digest::of(b"manifest");
        assert_eq!(record.verify(&ledger), Ok(()));
        assert_eq!(record.redacted().expect("redacted").verify(&ledger), Ok(()));
        let bytes = Statement::of(&record, &ledger, &[("h/p/a".to_owned(), digest)]).expect("made").to_bytes().expect("bytes");
        let read = Statement::read(&bytes, &digest).expect("read");
        assert_eq!((read.predicate.entries.len(), read.predicate.record.id.as_str()), (2, "r"));
        assert!(Statement::read(&bytes, &Digest::of(b"other")).expect_err("another's").message.contains("other images"));
        let text = String::from_utf8(bytes).expect("text");
        for (from, to) in [
            ("DL3008", "DL3009"),
            ("\"source\":\"c\"", "\"source\":\"d\""),
            ("\"a\":\"1\"", "\"a\":\"2\""),
            ("smoke", "smoky"),
            ("00:00:02Z", "00:00:03Z"),
            ("\"passed\"", "\"failed\""),
            ("in-toto.io/Statement/v1", "in-toto.io/Statement/v2"),
        ] {
            let edited = text.replace(from, to);
            assert_ne!(edited, text, "{from}");
            Statement::read(edited.as_bytes(), &digest).expect_err(from);
        }
        for wrong in ["", "{}", "[]"] {
            Statement::read(wrong.as_bytes(), &digest).expect_err(wrong);
        }
    }

    #[test]
    fn nothing_of_a_secret_is_in_it() {
        let (record, ledger) = record();
        let statement = Statement::of(&record, &ledger, &[]).expect("made").to_bytes().expect("bytes");
        for text in [statement, serde_json::to_vec(&record.redacted().expect("redacted")).expect("JSON")] {
            let text = String::from_utf8(text).expect("text");
            assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg") && text.contains("(hidden)"), "{text}");
        }
        // Another value is another digest; order does not count.
        let secret = |data: Value| redacted(&json!({"kind": "Secret", "data": data})).expect("redacted");
        assert_ne!(secret(json!({"a": "1"})), secret(json!({"a": "2"})));
        assert_eq!(secret(json!({"a": "1", "b": "2"})), secret(json!({"b": "2", "a": "1"})));
    }
}
