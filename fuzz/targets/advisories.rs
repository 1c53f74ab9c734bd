//! Whatever a database of advisories or a signed index holds is read or refused, and what is read is found again.
#![no_main]

use base::Timestamp;
use scanner::Ecosystem;
use scanner::advisories::index::{Head, Index, Trust, build, seal};
use scanner::advisories::sources::{Read, document};
use std::sync::LazyLock;
use std::time::Duration;

static KEY: LazyLock<String> = LazyLock::new(|| oci::signature::key_pair([1; 32], "fuzz").expect("a key").0);

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut read = Read::default();
    for name in ["a.json", "a.yaml", "crates/a/a.md"] {
        document(name, bytes, &mut read);
    }
    if !read.advisories.is_empty() {
        let file = build(&read.advisories, Vec::new(), (Timestamp::default(), Duration::from_secs(1), 1), &KEY).expect("built");
        let index = Index::from_bytes(file, Trust::Anyone).expect("opened");
        for (number, advisory) in read.advisories.iter().enumerate() {
            assert_eq!(index.advisory(number as u32).expect("there").id, advisory.id);
            for affected in &advisory.affected {
                assert!(index.lookup(&affected.ecosystem, &affected.name).expect("read").iter().any(|found| found.affected == *affected));
                let _ = affected.hits("1.0.0");
            }
        }
    }
    let Some((numbers, body)) = bytes.split_at_checked(6) else { return };
    let head = Head {
        packages: u32::from(numbers[0]),
        advisories: u32::from(numbers[0]),
        parts: [numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]].map(u32::from),
        ..Head::default()
    };
    let index = Index::from_bytes(seal(&head, body, &KEY).expect("sealed"), Trust::Anyone).expect("signed");
    let _ = (index.lookup(&Ecosystem::Npm, "a"), index.lookup(&Ecosystem::Cargo, ""), index.advisory(0), index.about());
});
