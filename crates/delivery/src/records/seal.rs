//! Whether a record is as it was written: every write of one stands in the ledger with the digest of all of it.

use super::copies::Copies;
use super::{Fate, Record};
use crate::inventory::Inventory;
use crate::ledger::{Entry, Event, Ledger, digest_of};
use crate::redact::{self, Key, redacted};
use base::{Problem, ProblemKind};
use k8s::{Fields, Value};
use oci::Digest;
use serde_json::json;

/// What a comparison of a record with a ledger gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// It is what the ledger's newest entry about it says, byte for byte.
    Intact {
        /// That entry's number.
        entry: u64,
    },
    /// It is as it was written, and the ledger has a later word: a run was killed between its two writes, or somebody put an older
    /// copy back.
    Behind {
        /// The later entry's number.
        entry: u64,
    },
    /// Nothing was compared.
    NotVerifiable {
        /// Why.
        why: String,
    },
}

/// A record that may be applied again.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// The record.
    pub record: Record,
    /// What could not be compared; to be told.
    pub warning: Option<String>,
}

/// What an entry keeps of a record: the digest of all of it, and its notes but for what the stages found and the signatures, which
/// only the record has.
pub(crate) fn detail(record: &Record, key: &Key) -> Result<Value, Problem> {
    let mut detail = json!({"sealed": record.seal(key)?});
    if let Some(members) = record.notes.as_object().filter(|members| !members.is_empty()) {
        let mut brief: serde_json::Map<String, Value> =
            members.iter().filter(|(name, _)| *name != "stages").map(|(name, value)| (name.clone(), value.clone())).collect();
        if let Some(plan) = brief.get_mut("plan").and_then(Value::as_object_mut) {
            plan.remove("approvals");
        }
        detail["notes"] = Value::Object(brief);
    }
    Ok(detail)
}

/// What an entry keeps of a deploy that begins: the digests of its record now, and once the release serves.
pub(crate) fn begun(record: &Record, key: &Key) -> Result<Value, Problem> {
    let then = Record { fate: Fate::Deployed, cause: None, ..record.clone() };
    Ok(json!({"sealed": record.seal(key)?, "then": then.seal(key)?}))
}

impl Record {
    /// The SHA-256 of the record's canonical JSON, without what its Secrets hold: the same for the copies outside the cluster.
    ///
    /// # Errors
    /// Never but for a defect.
    pub fn seal(&self, key: &Key) -> Result<Digest, Problem> {
        let value = serde_json::to_value(self.redacted(key)).map_err(|error| Problem::new(ProblemKind::Defect, error.to_string()))?;
        digest_of(&value)
    }

    /// The same without what its Secrets hold: nothing in it need be kept from anybody.
    #[must_use]
    pub fn redacted(&self, key: &Key) -> Self {
        if self.redacted {
            return self.clone();
        }
        let objects = self.objects.iter().map(|object| redacted(object, key)).collect();
        Self { objects, redacted: true, ..self.clone() }
    }

    /// Compares the whole record with what a ledger says was written; `key` is the project's, which records with Secrets need.
    ///
    /// # Errors
    /// When the record was changed since, or the entries about it were.
    pub fn check(&self, ledger: &Ledger, key: Option<&Key>) -> Result<Check, Problem> {
        let sealed: Vec<&Entry> =
            ledger.entries().iter().rev().filter(|entry| entry.release == self.id && !entry.detail.text("sealed").is_empty()).collect();
        sealed.iter().try_for_each(|entry| entry.verify())?;
        let Some((newest, earlier)) = sealed.split_first() else {
            let why = format!("the ledger has no entry with the digest of the record of release {}", self.id);
            return Ok(Check::NotVerifiable { why });
        };
        let seal = match key {
            Some(key) => self.seal(key)?,
            None if self.redacted || !self.objects.iter().any(redact::is_secret) => self.seal(&Key::random())?,
            None => {
                let why = "the key is not at hand with which the Secrets of the record are compared".to_owned();
                return Ok(Check::NotVerifiable { why });
            }
        };
        let seal = seal.to_string();
        if newest.detail.text("sealed") == seal {
            return Ok(Check::Intact { entry: newest.number });
        }
        // A run writes one after the other, and may be killed in between.
        let lags = earlier.first().is_some_and(|before| before.detail.text("sealed") == seal);
        let leads = newest.event == Event::Begun && newest.detail.text("then") == seal;
        if lags || leads {
            return Ok(Check::Behind { entry: newest.number });
        }
        let message =
            format!("the record of release {} is not as it was written: its digest is other than entry {} says", self.id, newest.number);
        Err(Problem::new(ProblemKind::Target, message).hint("somebody changed the record after it was written"))
    }

    /// The record as one that may be applied again: checked against the ledger in the inventory; one that the ledger no longer knows,
    /// against this machine's copy.
    ///
    /// # Errors
    /// When it, or the ledger, was changed since it was written, or it is another's.
    pub fn verified(self, inventory: &Inventory, copies: Option<&Copies>) -> Result<Verified, Problem> {
        let advice = |problem: Problem| {
            problem.hint(format!(
                "release {} is not applied from it; deploy it anew from its sources, or name another one of `wharf history`",
                self.id
            ))
        };
        inventory.ledger.verify().map_err(advice)?;
        let id = self.id.clone();
        let warning = match self.check(&inventory.ledger, inventory.key.as_ref()).map_err(advice)? {
            Check::Intact { .. } => None,
            Check::Behind { entry } => Some(format!(
                "the record of release {id} is as it was written, but older than entry {entry} of the ledger: a run was killed, or somebody put it back"
            )),
            Check::NotVerifiable { why } => {
                let copy: Option<Record> = copies.map(|copies| copies.record(&self.project, &id)).transpose()?.flatten();
                let own = inventory.key.as_ref().map(|key| self.redacted(key));
                match copy {
                    Some(copy) if open(&copy) != open(&self) => {
                        let message = format!("the record of release {id} is not as this machine wrote it down");
                        return Err(advice(Problem::new(ProblemKind::Target, message)));
                    }
                    Some(copy) if own.is_some_and(|own| own.objects == copy.objects && own.notes == copy.notes) => None,
                    Some(_) => Some(format!("what release {id} notes and what its Secrets hold could not be checked: {why}")),
                    None => Some(format!("the record of release {id} could not be checked: {why}, and this machine has no copy of it")),
                }
            }
        };
        Ok(Verified { record: self, warning })
    }
}

/// What a record deploys, apart from what Secrets hold.
fn open(record: &Record) -> (Vec<Value>, &str) {
    (record.objects.iter().map(redact::open).collect(), &record.namespace)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::manifests::{Intent, Release};
    use base::Place;

    fn at(second: usize) -> String {
        format!("2026-01-01T00:00:{second:02}Z")
    }

    /// A record with a Secret, and the inventory as its deploy left it.
    pub fn deployed() -> (Record, Inventory) {
        let secret = json!({"kind": "Secret", "metadata": {"name": "s", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hunter2"}},
            "data": {"password": "aHVudGVyMg=="}, "stringData": {"other": "hunter2"}});
        let objects = [secret, json!({"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1"}})];
        let intents = objects.into_iter().map(|object| Intent { object, place: Place::default() }).collect();
        let release = Release { id: "r".to_owned(), project: "p".to_owned(), namespace: "p".to_owned(), intents, notes: Vec::new() };
        let notes = json!({"source": "c", "plan": {"digest": "sha256:00", "approved_by": "ops", "approvals": [{"signature": "s"}]},
            "stages": {"lint": {"detail": {"findings": [{"rule": "DL3008"}]}}}});
        let mut record = Record::new(&release, at(0), Some("before".to_owned()), notes);
        let mut inventory = Inventory { project: "p".to_owned(), ..Inventory::default() };
        let key = inventory.make_key();
        let begun = begun(&record, &key).expect("begun");
        record.fate = Fate::Deployed;
        let detail = detail(&record, &key).expect("detail");
        for (second, (event, release, detail)) in [
            (Event::Deployed, "before", json!({})),
            (Event::Begun, "r", begun),
            (Event::Deployed, "r", detail),
            (Event::Passed, "r", json!({"by": "smoke"})),
        ]
        .into_iter()
        .enumerate()
        {
            inventory.ledger.add(at(second), event, release, detail).expect("added");
        }
        (record, inventory)
    }

    fn checked(record: &Record, inventory: &Inventory) -> Result<Check, Problem> {
        record.check(&inventory.ledger, inventory.key.as_ref())
    }

    #[test]
    fn a_record_that_differs_in_any_byte_is_not_intact() {
        let (whole, inventory) = deployed();
        let redacted = whole.redacted(&inventory.key.clone().expect("a key"));
        let failed = Record {
            fate: Fate::Failed,
            cause: serde_json::from_value(json!({"workload": "w", "message": "m", "evidence": ["e"]})).ok(),
            ..whole.clone()
        };
        let mut rejected = inventory.clone();
        let seal = json!({"sealed": failed.seal(&rejected.make_key()).expect("a digest")});
        rejected.ledger.add(at(9), Event::Rejected, "r", seal).expect("added");
        for (record, inventory, number) in [(whole, &inventory, 3), (redacted, &inventory, 3), (failed, &rejected, 5)] {
            assert_eq!(checked(&record, inventory), Ok(Check::Intact { entry: number }));
            let text = oci::canonical::to_vec(&record).expect("canonical");
            let mut found = 0;
            for at in 0..text.len() {
                for other in [b'0', b'1', b'x', b'Z', b'"', b',', b'\\', text[at] ^ 1, text[at] ^ 0x20, text[at].wrapping_add(1)] {
                    let mut bytes = text.clone();
                    bytes[at] = other;
                    // What cannot be read any more, or reads as the same, needs no check.
                    let Ok(changed) = serde_json::from_slice::<Record>(&bytes) else { continue };
                    if changed != record {
                        let said = checked(&changed, inventory);
                        assert!(
                            !matches!(said, Ok(Check::Intact { .. } | Check::Behind { .. })),
                            "{said:?}: {}",
                            String::from_utf8_lossy(&bytes)
                        );
                        found += 1;
                    }
                }
            }
            assert!(found > 1000, "{found} of {}", text.len());
        }
    }

    #[test]
    fn what_was_edited_before_is_found() {
        let (record, inventory) = deployed();
        let edits: [(&str, Value); 6] = [
            ("created", json!("2025-01-01T00:00:00Z")),
            ("fate", json!("failed")),
            ("fate", json!("deploying")),
            ("cause", json!({"workload": "w", "message": "m", "evidence": []})),
            ("previous", json!("other")),
            ("notes", json!({"plan": {"approved_by": "me"}})),
        ];
        for (name, value) in edits {
            let mut edited = serde_json::to_value(&record).expect("JSON");
            edited[name] = value;
            let edited: Record = serde_json::from_value(edited).expect("a record");
            let said = checked(&edited, &inventory);
            // The very record that stood before it served is an older one, and told so.
            let older = name == "fate" && edited.fate == Fate::Deploying;
            assert!(if older { said == Ok(Check::Behind { entry: 3 }) } else { said.is_err() }, "{name}: {said:?}");
            let trick = Record { notes: json!({"commit": "another"}), ..edited };
            assert!(checked(&trick, &inventory).is_err(), "{name}");
        }
    }

    #[test]
    fn where_nothing_was_compared_it_is_said() {
        let (record, mut inventory) = deployed();
        let unknown = Record { id: "unknown".to_owned(), ..record.clone() };
        assert!(matches!(checked(&unknown, &inventory), Ok(Check::NotVerifiable { .. })));
        assert!(matches!(record.check(&inventory.ledger, None), Ok(Check::NotVerifiable { .. })), "its Secrets need the key");
        inventory.ledger = Ledger::default();
        assert!(matches!(checked(&record, &inventory), Ok(Check::NotVerifiable { why }) if why.contains("no entry")));
    }

    #[test]
    fn only_what_was_checked_is_applied_again() {
        let (record, mut inventory) = deployed();
        let key = inventory.make_key();
        assert_eq!(record.clone().verified(&inventory, None).expect("intact").warning, None);
        let edited = |record: &Record| Record {
            objects: vec![json!({"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "2"}})],
            ..record.clone()
        };
        let refused = edited(&record).verified(&inventory, None).expect_err("edited");
        assert!(refused.message.contains("release r is not as it was written") && refused.hints.len() == 2, "{refused:?}");
        // Older than the ledger keeps: the home's copy speaks for it, or nothing does.
        inventory.ledger = Ledger::default();
        let home = std::env::temp_dir().join(format!("wharf-seal-{}", base::ids::suffix(8)));
        let copies = Copies::new(&home, "local");
        assert!(
            record.clone().verified(&inventory, Some(&copies)).expect("no copy").warning.is_some_and(|warning| warning.contains("no copy"))
        );
        copies.write_record(&record.redacted(&key)).expect("written");
        assert_eq!(record.clone().verified(&inventory, Some(&copies)).expect("equal").warning, None);
        assert!(edited(&record).verified(&inventory, Some(&copies)).expect_err("edited").message.contains("as this machine wrote it"));
        let mut secret = record.clone();
        secret.objects[0]["data"]["password"] = json!("b3RoZXI=");
        assert!(secret.verified(&inventory, Some(&copies)).expect("a Secret").warning.is_some());
        let _ = std::fs::remove_dir_all(home);
    }
}
