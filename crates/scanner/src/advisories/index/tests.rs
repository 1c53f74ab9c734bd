//! What is written is found again, and nothing that was changed is believed.

use super::*;
use crate::Ecosystem;
use crate::advisories::sources::{Read, document};
use oci::signature::{key_pair, public_key};
use proptest::prelude::*;
use std::time::Duration;

pub fn key() -> (String, PublicKey) {
    let (private, public) = key_pair([3; 32], "publisher").expect("a key");
    (private, public_key(&public).expect("a key"))
}

/// An index of OSV documents.
pub fn index_of(documents: &[&str]) -> Index {
    Index::from_bytes(bytes_of(documents), Trust::Keys(&[key().1])).expect("an index")
}

pub fn bytes_of(documents: &[&str]) -> Vec<u8> {
    let mut read = Read::default();
    documents.iter().enumerate().for_each(|(number, text)| document(&format!("{number}.json"), text.as_bytes(), &mut read));
    assert!(read.unread.is_empty(), "{:?}", read.unread);
    let day = Timestamp::parse_rfc3339("2026-01-01T00:00:00Z").expect("a time");
    build(&read.advisories, vec!["test".to_owned()], (day, Duration::from_secs(86_400), 7), &key().0).expect("built")
}

fn some() -> Vec<u8> {
    let document = |id: usize, name: &str| {
        format!(
            r#"{{"id":"GHSA-{id}","aliases":["CVE-{id}"],"summary":"bad {id}","affected":[{{"package":{{"ecosystem":"npm","name":"{name}"}},
            "ranges":[{{"type":"SEMVER","events":[{{"introduced":"0"}},{{"fixed":"1.{id}.0"}}]}}],"versions":["9.9.9"]}}],
            "database_specific":{{"severity":"HIGH"}}}}"#
        )
    };
    let documents: Vec<String> = (0..2_000).map(|id| document(id, &format!("package-{}", id % 900))).collect();
    bytes_of(&documents.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn what_is_written_is_found_again() {
    let index = Index::from_bytes(some(), Trust::Keys(&[key().1])).expect("an index");
    index.check().expect("whole");
    assert_eq!((index.head().advisories, index.head().packages, index.head().sequence), (2_000, 900, 7));
    assert_eq!(index.about().expect("about").ecosystems.get("npm"), Some(&2_000));
    let found = index.lookup(&Ecosystem::Npm, "package-17").expect("found");
    let ids: Vec<String> = found.iter().map(|found| index.advisory(found.advisory).expect("there").id).collect();
    assert_eq!(ids, ["GHSA-17", "GHSA-917", "GHSA-1817"]);
    assert_eq!(found[1].affected.hits("1.0.0").expect("read").and_then(|hit| hit.fixed), Some("1.917.0"));
    assert!(index.lookup(&Ecosystem::Npm, "package-").expect("read").is_empty());
    assert!(index.lookup(&Ecosystem::Cargo, "package-17").expect("read").is_empty());
    let advisory = index.advisory(1_817).expect("there");
    assert_eq!((advisory.aliases.as_slice(), advisory.summary.as_str()), (["CVE-1817".to_owned()].as_slice(), "bad 1817"));
}

#[test]
fn whoever_is_not_trusted_is_named() {
    let other = public_key(&key_pair([4; 32], "other").expect("a key").1).expect("a key");
    let error = Index::from_bytes(some(), Trust::Keys(&[other])).err().expect("refused");
    assert!(matches!(&error, IndexError::Untrusted(who) if who.contains("SHA256:")), "{error}");
    assert!(Index::from_bytes(some(), Trust::Keys(&[])).is_err() && Index::from_bytes(some(), Trust::Anyone).is_ok());
}

#[test]
fn no_byte_can_be_changed_unseen() {
    let good = some();
    for at in (0..good.len()).step_by(97).chain(0..200) {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        let seen = Index::from_bytes(bytes, Trust::Keys(&[key().1])).and_then(|index| index.check());
        assert!(seen.is_err(), "a change at {at} is believed");
    }
    for cut in [0, 1, 95, 96, 5_000, good.len() - 1] {
        assert!(Index::from_bytes(good[..cut].to_vec(), Trust::Anyone).is_err(), "cut at {cut}");
    }
}

#[test]
fn what_was_changed_behind_the_head_is_seen_when_it_is_touched() {
    let mut bytes = some();
    let last = bytes.len() - 10;
    bytes[last] ^= 1;
    let index = Index::from_bytes(bytes, Trust::Keys(&[key().1])).expect("the head is whole");
    let error = index.about().expect_err("it stands last");
    assert!(error.to_string().contains("tampered"), "{error}");
}

#[test]
fn a_file_is_mapped() {
    let path = std::env::temp_dir().join(format!("wharf-index-{}", base::ids::suffix(8)));
    base::files::write_atomically(&path, &some(), 0o600).expect("written");
    let opened = Index::open(&path, Trust::Keys(&[key().1]));
    let _ = std::fs::remove_file(&path);
    assert_eq!(opened.expect("opened").lookup(&Ecosystem::Npm, "package-3").expect("found").len(), 3);
    assert!(Index::open(Path::new("/dev/null"), Trust::Anyone).is_err());
}

proptest! {
    #[test]
    fn whatever_was_signed_is_read_or_refused(parts in any::<[u8; 5]>(), packages in 0_u32..40, body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let head = Head { packages, advisories: packages, parts: parts.map(u32::from), ..Head::default() };
        let index = Index::from_bytes(seal(&head, &body, &key().0).expect("sealed"), Trust::Anyone).expect("signed");
        let _ = (index.lookup(&Ecosystem::Npm, "a"), index.advisory(0), index.about());
    }
}
