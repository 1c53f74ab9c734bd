//! What clients send to the registry, and what its log holds, is read or refused; a name never leads out of its repository.
#![no_main]
// Of what is here only the reading is called.
#![allow(dead_code)]

#[path = "../../crates/registry/src/digest.rs"]
mod digest;
#[path = "../../crates/registry/src/manifest.rs"]
mod manifest;
#[path = "../../crates/registry/src/record.rs"]
mod record;
#[path = "../../crates/registry/src/request.rs"]
mod request;

use request::{Part, Query, Route};

libfuzzer_sys::fuzz_target!(|input: (u64, &[u8])| {
    let (size, bytes) = input;
    let text = String::from_utf8_lossy(bytes);
    if let Ok((name, route)) = request::route(&text) {
        assert!(name.split('/').all(|part| part != ".." && part != "."));
        if let Route::Upload(id) = route {
            assert!(!id.contains('/'));
        }
    }
    let query = Query::new(&text);
    let _ = (query.get("n"), query.all("tag").count());
    let _ = (request::content_range(&text), request::basic(&text), request::bearer(&text));
    if let Part::Some(first, length) = request::range(Some(&text), size) {
        assert!(length > 0 && first + length <= size);
    }
    let (kind, rest) = text.split_once('\n').unwrap_or(("", &text));
    if let Ok(facts) = manifest::read(rest.as_bytes(), Some(kind), 0) {
        let mut payload = Vec::new();
        let digest = digest::Digest::of(digest::Algorithm::Sha256, bytes);
        let written = record::Record::Manifest { repository: "a".into(), digest, facts: facts.into() };
        written.encode(&mut payload);
        let read: Vec<_> = record::Records::new(payload.into()).collect();
        assert!(matches!(read.as_slice(), [Ok(placed)] if placed.record == written));
    }
    let _ = record::Records::new(bytes::Bytes::copy_from_slice(bytes)).count();
});
